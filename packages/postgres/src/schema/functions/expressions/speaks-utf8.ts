/**
 * Refuses a session whose client encoding is not UTF8, because a handler or an earlier user of the
 * connection has changed it. PostgreSQL would convert the text it receives, so a scope would be
 * looked up and stored under another name.
 */
export const REFUSE_OTHER_ENCODINGS = `if pg_client_encoding() <> 'UTF8' then
        raise exception 'client_encoding of this session is %, and not UTF8', pg_client_encoding()
          using errcode = 'OK006';
      end if;`
