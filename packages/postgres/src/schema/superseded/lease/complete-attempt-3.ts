import {
  asHandler,
  asLogin,
  IN_HANDLERS_TRANSACTION,
  mayWriteRecord,
  ROLE_OF_HANDLER,
} from '../../functions/expressions/as-login.ts'
import { REFUSE_OTHER_ENCODINGS } from '../../functions/expressions/speaks-utf8.ts'
import { REFUSE_OTHER_TRANSACTIONS } from '../../functions/store/same-transaction.ts'

/**
 * An earlier version of `complete_attempt_5`, for processes of an earlier release. An attempt that
 * the database has lost is refused here.
 */
export function completeAttemptFunction3(schema: string): string {
  return `create function ${schema}.complete_attempt_3(in_token text, in_namespace text, in_scope text,
      in_key text, in_status integer, in_headers text, in_body bytea, in_seal text,
      in_events json, in_started bigint)
    returns text language plpgsql volatile ${IN_HANDLERS_TRANSACTION}
      set enable_seqscan = off set lock_timeout = '5s' as $$
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
        raise exception 'another attempt has this key' using errcode = 'OK002';
      end if;
      insert into ${schema}.records
          (namespace, scope, key, fingerprint, status, headers, body, seal, token)
        values (in_namespace, in_scope, in_key, claimed, in_status, in_headers, in_body, in_seal,
          in_token)
        on conflict on constraint records_pkey do nothing;
      if not found then
        raise exception 'another attempt has completed this key' using errcode = 'OK002';
      end if;
      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
      ${asHandler()}
      return 'stored';
    end $$`
}
