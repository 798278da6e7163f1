"""Every message between actors, by who is told it, and what each mailbox takes. Frozen, typed, few.

Times are on the dispatcher's clock (`now_ms`: monotonic ms, any origin); audio is base64 text.
May import: protocols, fsm, store's record types, actors' runtime pieces, the standard library.
"""
