"""Names that nothing in `src` uses and that are not dead: what vulture asks (`make lint`) is answered here.

A name leaves this list with what it names: a test holds that each is still defined.
"""

# What users call, and the documentation names.
AsyncSummaries
Router
_.__dir__
_.__getattr__
_.__getitem__
_._repr_html_
_.assert_cached
_.assert_cost
_.assert_legal
_.assert_sent
_.cancel
_.is_exact
_.to_pandas
_.tool_result
_.revoke
_.recall_tool
_.serve

# What users read in values.
_.ended_at
_.rubric
_.snapshot
_.trap

# What the SDK and pydantic look for in what we hand them.
_._adapter
_.__doc__
_.handle_async

# What httpx2, http.server, socketserver, sqlite3, psycopg, click, rich and reprlib look for.
_.allow_reuse_address
_.block_on_close
_.close_connection
_.convert
_.daemon_threads
_.disable_nagle_algorithm
_.do_DELETE
_.do_GET
_.do_POST
_.exit_code
_.handle_async_request
_.handle_request
_.justify
_.log_message
_.maxstring
_.on_broken_pipe
_.prepare_threshold
_.prepared_max
_.protocol_version
_.request_queue_size
_.row_factory
_.server_version

# What a guarantee says, and the fitting of the estimator needs.
OF_ALL
WIDTH
most_passed

# What Starlette, pydantic, markdown-it, logging and the templates of pages look for.
_.exc_text
_.model_config
_.predicted
_.regex
_.result_left
_.top
_.to_string
_.validateLink
