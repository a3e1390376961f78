/**
 * Refuses a session whose client's encoding is not the one that every client here writes and reads:
 * a handler has changed it, or somebody else who had the connection before. PostgreSQL converts what it
 * is sent, so a scope would be looked for, and kept, under another name.
 */
export const REFUSE_OTHER_ENCODINGS = `if pg_client_encoding() <> 'UTF8' then
        raise exception 'client_encoding of this session is %, and not UTF8', pg_client_encoding()
          using errcode = 'OK006';
      end if;`
