import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayWriteRecord,
  ROLE_OF_HANDLER,
} from '../expressions/as-login.ts'
import { refuseDropped } from '../expressions/must-be-written.ts'
import { REFUSE_OTHER_ENCODINGS } from '../expressions/speaks-utf8.ts'
import { REFUSE_OTHER_TRANSACTIONS } from '../store/same-transaction.ts'

/**
 * Completes an attempt in lease mode: record and events, or nothing. Raises if the attempt no
 * longer owns the key (OK002): COMMIT is often sent without waiting for the result, and only an
 * error turns it into a rollback.
 *
 * 'in_started' is when the handler's transaction began; any other transaction is refused (OK001).
 * It is null if the handler opened none: the call is then a transaction of its own, and if it is
 * repeated because the reply was lost, it finds its own record and changes nothing. With a
 * transaction it is not repeated: `abandon_attempt_4` says whether it was stored.
 *
 * The row of an attempt may be missing because a failover lost it. Without a transaction of the
 * handler it is restored and the response stored: the handler did run, and if this were refused,
 * the next retry would run it again. An attempt with an open transaction cannot have been lost in a
 * failover, which would have ended the transaction as well.
 */
export function completeAttempt5(schema: string): string {
  return `create function ${schema}.complete_attempt_5(in_token text, in_namespace text, in_scope text,
      in_key text, in_status integer, in_headers text, in_body bytea, in_seal text,
      in_events json, in_started bigint, in_fingerprint text)
    returns text language plpgsql volatile ${IN_HANDLERS_TRANSACTION}
      set enable_seqscan = off set jit = off set lock_timeout = '5s' as $$
    declare
      claimed text;
      ${ROLE_OF_HANDLER}
    begin
      if in_started is not null then
        ${REFUSE_OTHER_TRANSACTIONS}
      end if;
      ${REFUSE_OTHER_ENCODINGS}
      ${asLogin(mayWriteRecord(schema))}
      delete from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token
        returning a.fingerprint into claimed;
      if claimed is null then
        perform from ${schema}.records r
          where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key
            and r.token = in_token and in_started is null;
        if found then
          ${asHandler()}
          return 'stored';
        end if;
        if in_started is null and ${schema}.restore_attempt(in_namespace, in_scope, in_key,
          in_fingerprint, 1, in_token, 0)
        then
          delete from ${schema}.attempts a
            where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
              and a.token = in_token
            returning a.fingerprint into claimed;
        end if;
      end if;
      if claimed is null then
        perform from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
            and a.token = in_token;
        ${refuseDropped('attempts', 'found')}
        raise exception 'another attempt has this key' using errcode = 'OK002';
      end if;
      insert into ${schema}.records
          (namespace, scope, key, fingerprint, status, headers, body, seal, token)
        values (in_namespace, in_scope, in_key, claimed, in_status, in_headers, in_body, in_seal,
          in_token)
        on conflict on constraint records_pkey do nothing;
      if not found then
        perform from ${schema}.records r
          where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
        ${refuseDropped('records')}
        raise exception 'another attempt has completed this key' using errcode = 'OK002';
      end if;
      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
      ${asHandler()}
      return 'stored';
    end $$`
}
