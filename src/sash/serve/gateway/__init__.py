"""What answers as Claude does: `/v1/messages` and its neighbours, for any client whose base URL names this server.

A call whose headers name a conversation (`addressed.py`) is held against its record (`known.py`, `bodies.py`;
`remembered.py`: what is settled of it is read once), what is new is said in it (`saying.py`), and the reply goes out in
the API's form (`events.py`, `errors.py`). Any other call is passed on as it is (`passing.py`). `chat.py`, `shapes.py`:
for clients of OpenAI's chat completions. `routes.py` says where all this stands.
"""
