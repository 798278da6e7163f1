"""Every message between actors, by receiver, and the union of types that each mailbox takes.

Times are on the dispatcher's clock (`now_ms`: monotonic ms, any origin); audio is base64 text.
May import: protocols, fsm, store's record types, actors.system, actors.transport, the standard library.
"""
