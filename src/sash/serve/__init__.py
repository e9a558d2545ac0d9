"""`sash serve`: the record on a page, a chat box, a JSON API and a gateway, as one Starlette application.

`make_app` builds it from `ServeSettings`. What is shown comes from `sash.inspect`, what is done from conversations and
the store: nothing here knows SQL or the SDK. Needs the extra `serve`; `import sash` loads none of it.

`pages/` answers with HTML, `api/` with JSON, `gateway/` as Claude would. `talks.py` holds open conversations,
`replies.py` the replies under way; `security.py` says who may ask, `bounds.py` how much and how long.
"""
