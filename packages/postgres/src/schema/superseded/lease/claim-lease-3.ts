import { REFUSE_OTHER_ENCODINGS } from '../../functions/expressions/speaks-utf8.ts'

/**
 * An earlier version of `claim_lease_7`, for processes of an earlier release. Clocks that were put
 * back, and claims that arrive after they were given back, are not recognised here.
 */
export function claimLeaseFunction3(schema: string): string {
  return `create function ${schema}.claim_lease_3(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_fingerprints json, in_token text, in_lease_ms bigint, in_hold boolean)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '2s' as $$
    declare
      free boolean := pg_try_advisory_xact_lock_shared(in_lock);
      lease interval := in_lease_ms * interval '1 millisecond';
      held record;
      kept ${schema}.records;
    begin
      ${REFUSE_OTHER_ENCODINGS}
      if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a claim of lease mode must see what was committed a moment ago'
          using errcode = 'serialization_failure', hint = 'Ask at READ COMMITTED.';
      end if;
      for round in 1..30 loop
        -- In this order: an attempt that completes goes from the one table to the other.
        select a.fingerprint, a.number, a.token, coalesce(l.until, a.until) as until into held
          from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
        select * into kept from ${schema}.records r
          where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
        if kept.fingerprint is not null then
          return '{"state":"finished","record":' || ${schema}.record_json(kept) || '}';
        end if;

        if held.fingerprint is null then
          if not free then
            return '{"state":"in-progress","number":0,"left":1000}';
          end if;
          insert into ${schema}.attempts (namespace, scope, key, fingerprint, number, token, until)
            values (in_namespace, in_scope, in_key, in_fingerprints ->> 0, 1, in_token,
              clock_timestamp() + lease)
            on conflict on constraint attempts_pkey do nothing;
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

        if not exists (
          select from json_array_elements_text(in_fingerprints) f where f = held.fingerprint
        ) then
          return '{"state":"mismatch"}';
        end if;
        if held.token = in_token then
          insert into ${schema}.leases (token, until) values (in_token, clock_timestamp() + lease)
            on conflict (token) do update set until = excluded.until
              where leases.until is not null;
          continue when not found;
          return json_build_object('state', 'run', 'number', held.number);
        end if;
        if held.until > clock_timestamp() then
          return json_build_object('state', 'in-progress', 'number', held.number, 'left',
            ceil(extract(epoch from held.until - clock_timestamp()) * 1000));
        end if;
        if not free then
          return json_build_object('state', 'in-progress', 'number', held.number, 'left', 1000);
        end if;
        if in_hold then
          return json_build_object('state', 'unknown', 'since',
            floor(extract(epoch from held.until) * 1000));
        end if;

        -- Taken over, if neither its owner nor another claim is at it right now.
        perform from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
            and a.token is not distinct from held.token and a.number = held.number
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
          set number = held.number + 1, token = in_token, until = clock_timestamp() + lease
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
        return json_build_object('state', 'run', 'number', held.number + 1);
      end loop;
      return '{"state":"in-progress","number":0,"left":1000}';
    end $$`
}
