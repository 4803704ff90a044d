"""Repositories as users manage them: declarations, sync requests, queries, connection tests."""
