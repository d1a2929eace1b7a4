# Generated from naked_sqla/sessions/_async/__init__.py by tools/async_to_sync.py: do not edit.
"""The synchronous face of a session."""
