"""Making avatars of photographs in a running server: drafts, their queue, the process that builds them, the film."""
