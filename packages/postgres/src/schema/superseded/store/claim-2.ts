import { REFUSE_READ_ONLY } from '../../functions/expressions/takes-writes.ts'
import { START_ATTEMPT } from '../../functions/store/start-attempt.ts'

/** `claim_2`, an earlier version of `claim_3`, for processes of an earlier release. */
export function claimFunction(schema: string): string {
  return `create function ${schema}.claim_2(in_lock bigint, in_namespace text, in_scope text, in_key text,
      in_attempt text, in_backstop_ms integer, in_read boolean)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '5s' as $$
    declare
      won boolean;
      known text;
      ignored text;
      own_limit text;
    begin
      ${REFUSE_READ_ONLY}
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
      ${START_ATTEMPT}
    end $$`
}
