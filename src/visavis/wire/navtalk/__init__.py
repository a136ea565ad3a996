"""The unified WebSocket of NavTalk's v2 API, and the REST look-ups its clients make before a call."""
