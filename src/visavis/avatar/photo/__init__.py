"""An avatar from one photograph: faces and landmarks found, the puppet's fields, pictures and tables made of it."""
