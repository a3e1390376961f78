import { attemptName } from '../expressions/attempt-name.ts'
import { refuseDropped } from '../expressions/must-be-written.ts'
import { REFUSE_OTHER_ENCODINGS } from '../expressions/speaks-utf8.ts'

/**
 * Claims a key in lease mode. Each statement in it has its own snapshot, because the function is
 * VOLATILE and runs at READ COMMITTED only. In a single snapshot it could miss the record of an
 * attempt that held the lock until just now, so at another isolation level it raises a
 * serialization failure, and the caller sends it again at READ COMMITTED.
 *
 * Claims share the key's advisory lock. An open transaction on the key, in either mode, holds the
 * lock exclusively: that attempt is running, whatever its lease says. Nothing here waits for a
 * handler or its COMMIT, because reads are plain or SKIP LOCKED, and a key is inserted only if it
 * was not seen. 'lock_timeout' limits the wait for another claim that is being committed.
 *
 * A lease that ends further ahead than its own length was begun before the clock was put back. It
 * is begun again, as if it had been renewed; otherwise the key of a dead process would stay taken
 * until the clock has caught up. An attempt without an owner ('token' is null) has no lease.
 *
 * A claim can arrive after it was given back. 'give_back_attempts' has then marked its token, and
 * the claim wins nothing. The mark is looked for after the shared advisory lock was taken, for
 * which that function needs the lock exclusively.
 *
 * A claim that was sent twice can arrive after the attempt of its other copy has ended. A release
 * and an abandonment leave a mark, too, in the transaction that takes the key from the attempt, and
 * the mark is looked for in a later snapshot than the attempt.
 */
export function claimLeaseFunction7(schema: string): string {
  const isOver = `exists (
            select from ${schema}.leases l
              where l.token in (in_token, 'released:' || in_token) and l.until is null
          )`
  const isHeld = `a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
              and a.token = held.token`
  const nothing = `'{"state":"in-progress","number":0,"left":1000}'`
  return `create function ${schema}.claim_lease_7(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_fingerprints json, in_token text, in_lease_ms bigint, in_hold boolean,
      in_retakes text)
    returns text language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '2s' as $$
    declare
      free boolean := pg_try_advisory_xact_lock_shared(in_lock);
      lease interval := in_lease_ms * interval '1 millisecond';
      held record;
      kept ${schema}.records;
      name text;
    begin
      ${REFUSE_OTHER_ENCODINGS}
      if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a claim of lease mode must see what was committed a moment ago'
          using errcode = 'serialization_failure', hint = 'Ask at READ COMMITTED.';
      end if;
      for round in 1..30 loop
        -- In this order: an attempt that completes goes from the one table to the other.
        select a.fingerprint, a.number, a.token, a.claimed_at,
            coalesce(l.until, a.until) as until,
            case when l.token is null then a.lease_ms else l.lease_ms end
              * interval '1 millisecond' as length,
            l.token is not null and l.until is null as is_given_back
          into held
          from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
        select * into kept from ${schema}.records r
          where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
        if kept.fingerprint is not null then
          return '{"state":"finished","record":' || ${schema}.record_json(kept) || '}';
        end if;

        if held.fingerprint is null then
          if not free then
            return ${nothing};
          end if;
          insert into ${schema}.attempts
              (namespace, scope, key, fingerprint, number, token, until, lease_ms)
            select in_namespace, in_scope, in_key, in_fingerprints ->> 0, 1, in_token,
              clock_timestamp() + lease, in_lease_ms where not ${isOver}
            on conflict on constraint attempts_pkey do nothing;
          if not found and ${isOver} then
            return ${nothing};
          end if;
          continue when not found;
          -- Another may have claimed it and completed since it was looked for.
          select * into kept from ${schema}.records r
            where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
          if kept.fingerprint is null then
            return '{"state":"run","number":1}';
          end if;
          delete from ${schema}.attempts a
            where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
          return '{"state":"finished","record":' || ${schema}.record_json(kept) || '}';
        end if;

        if held.is_given_back then
          if not free then
            return json_build_object('state', 'in-progress', 'number', held.number, 'left', 1000);
          end if;
          delete from ${schema}.attempts a
            where ${isHeld} and a.number = 1;
          update ${schema}.attempts a set token = null, until = clock_timestamp()
            where ${isHeld};
          continue;
        end if;

        if not exists (
          select from json_array_elements_text(in_fingerprints) f where f = held.fingerprint
        ) then
          return '{"state":"mismatch"}';
        end if;
        if held.token = in_token then
          insert into ${schema}.leases (token, until, lease_ms)
            values (in_token, clock_timestamp() + lease, in_lease_ms)
            on conflict (token) do update
              set until = excluded.until, lease_ms = excluded.lease_ms
              where leases.until is not null;
          continue when not found;
          return json_build_object('state', 'run', 'number', held.number);
        end if;
        if held.token is not null and held.until > clock_timestamp() then
          if held.until > clock_timestamp() + held.length then
            insert into ${schema}.leases (token, until, lease_ms)
              values (held.token, clock_timestamp() + held.length,
                extract(epoch from held.length) * 1000)
              on conflict (token) do update set until = excluded.until
                where leases.until = held.until;
            continue;
          end if;
          return json_build_object('state', 'in-progress', 'number', held.number, 'left',
            ceil(extract(epoch from held.until - clock_timestamp()) * 1000));
        end if;
        if not free then
          return json_build_object('state', 'in-progress', 'number', held.number, 'left', 1000);
        end if;
        name := ${attemptName('held')};
        if in_hold or in_retakes <> name then
          return json_build_object('state', 'unknown', 'attempt', name, 'since',
            floor(extract(epoch from least(held.until, clock_timestamp())) * 1000));
        end if;

        if ${isOver} then
          return ${nothing};
        end if;
        -- Taken over, if neither its owner nor another claim is at it right now.
        perform from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
            and a.token is not distinct from held.token and a.number = held.number
            and a.claimed_at = held.claimed_at
          for no key update skip locked;
        if not found then
          perform pg_sleep(0.002);
          continue;
        end if;
        if held.token is not null then
          -- From here on a renewal comes too late, or else this does.
          insert into ${schema}.leases (token, until) values (held.token, null)
            on conflict (token) do update set until = null
              where leases.until <= clock_timestamp();
          continue when not found;
        end if;
        update ${schema}.attempts a
          set number = held.number + 1, token = in_token, until = clock_timestamp() + lease,
            lease_ms = in_lease_ms
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
        ${refuseDropped('attempts')}
        return json_build_object('state', 'run', 'number', held.number + 1);
      end loop;
      -- Nobody had the key, thirty times, and what was written was not there.
      ${refuseDropped('attempts', 'held.fingerprint is null or held.is_given_back')}
      return ${nothing};
    end $$`
}
