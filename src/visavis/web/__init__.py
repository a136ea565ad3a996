"""What the server hands to browsers: the JavaScript client (``sdk/``) and the call page (``page/``)."""
