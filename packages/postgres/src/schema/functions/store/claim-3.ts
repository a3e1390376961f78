import { REFUSE_OTHER_ENCODINGS } from '../expressions/speaks-utf8.ts'
import { REFUSE_READ_ONLY } from '../expressions/takes-writes.ts'
import { LIMIT_ATTEMPT } from './start-attempt.ts'

/**
 * Claims a key: tries the lock first, then reads the record. VOLATILE, so that the read has its own
 * snapshot, taken after the lock was tried, and sees every attempt that finished before. Returns
 * JSON, because planning a row of columns takes longer than all the work here.
 *
 * A server that takes no writes is refused first: its locks are not the primary's, and the handler
 * would run for nothing. 'lock_timeout' limits the wait for a locked table; nothing here waits for
 * another attempt. If the lock was won and there is no record, it ends with what LIMIT_ATTEMPT
 * returns: the state 'run'.
 *
 * 'in_attempt' is the mark to set on PGlite, and null on every other server.
 */
export function claimFunction3(schema: string): string {
  return `create function ${schema}.claim_3(in_lock bigint, in_namespace text, in_scope text, in_key text,
      in_attempt text, in_backstop_ms integer, in_read boolean)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '5s' as $$
    declare
      won boolean;
      known text;
      ignored text;
      own_limit text;
    begin
      ${REFUSE_READ_ONLY}
      ${REFUSE_OTHER_ENCODINGS}
      won := pg_try_advisory_xact_lock(in_lock);
      if in_read then
        -- In this order: an attempt of lease mode that completes goes from the one table to the other.
        perform from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
        if not found then
          perform from ${schema}.records r
            where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
        end if;
        if found then
          known := ${schema}.find_record(in_namespace, in_scope, in_key);
          -- It may have ended or been purged in between.
          if known is not null then
            return known;
          end if;
        end if;
      end if;
      if not won then
        return '{"state":"in-progress"}';
      end if;
      if in_attempt is not null then
        ignored := set_config('oncekey.attempt', in_attempt, true);
      end if;
      ${LIMIT_ATTEMPT}
    end $$`
}
