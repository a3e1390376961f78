import { leasedAttemptFunction } from '../superseded/lease/leased-attempt.ts'
import { replaceAttempt } from '../superseded/lease/replace-attempt.ts'

/**
 * Attempts of lease mode, whose claims are committed before their handlers run, and the functions
 * that the store calls for them.
 *
 * An attempt is a row in 'attempts' until it completes; the same commit turns it into a record.
 * Nobody writes the row while the handler runs, and whoever ends the attempt has to lock it.
 * Renewals write to a table of their own, so a renewal blocks nobody, and does not invalidate a
 * handler's snapshot.
 */
export function leases(schema: string): string[] {
  return [
    // 'until' is when the lease of the claim ends. 'token' becomes null when the attempt is
    // abandoned. 'claimed_at' keeps the time of the first claim, for its index and for 'purge'.
    `create table ${schema}.attempts (
      namespace text collate "C" not null,
      scope text collate "C" not null,
      key text collate "C" not null,
      fingerprint text not null,
      number integer not null,
      token text collate "C",
      until timestamptz not null,
      claimed_at timestamptz not null default clock_timestamp(),
      constraint attempts_pkey primary key (namespace, scope, key)
    ) with (fillfactor = 80)`,
    `create index attempts_claimed_at on ${schema}.attempts (claimed_at)`,

    // Leases that were renewed; most attempts end before their first renewal. A null 'until' marks
    // a lease that was taken away for good. There is no index on 'until', so that a renewal
    // rewrites a row in its place (HOT).
    `create table ${schema}.leases (
      token text collate "C" not null,
      until timestamptz,
      renewed_first_at timestamptz not null default clock_timestamp(),
      constraint leases_pkey primary key (token)
    ) with (fillfactor = 50)`,
    `create index leases_renewed_first_at on ${schema}.leases (renewed_first_at)`,

    // The token of the attempt that completed, by which a completion that is sent again recognises
    // its own record.
    `alter table ${schema}.records add column token text`,

    // Claims a key. Each statement in it has its own snapshot (VOLATILE).
    //
    // Claims share the key's advisory lock. An open transaction on the key, in either mode, holds
    // the lock exclusively: that attempt is running, whatever its lease says. Nothing here waits
    // for a handler or its COMMIT, because reads are plain or SKIP LOCKED, and a key is inserted
    // only if it was not seen. 'lock_timeout' limits the wait for another claim that is being
    // committed.
    `create function ${schema}.claim_lease(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_fingerprints json, in_token text, in_lease_ms bigint, in_hold boolean)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '2s' as $$
    declare
      free boolean := pg_try_advisory_xact_lock_shared(in_lock);
      lease interval := in_lease_ms * interval '1 millisecond';
      held record;
      kept ${schema}.records;
    begin
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
    end $$`,

    // Starts an attempt's transaction and locks the attempt's row; raises if the caller does not
    // own the attempt. Until the transaction ends, the lock on the row takes the place of the
    // lease, and claims see it by the advisory lock.
    `create function ${schema}.open_attempt(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_token text, in_backstop_ms integer)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '5s' as $$
    begin
      -- Before the lock, too: the attempt that has the key by now may hold it for long.
      perform from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token;
      if found then
        perform pg_advisory_xact_lock(in_lock);
        perform from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
            and a.token = in_token
          for no key update;
      end if;
      if not found then
        raise exception 'another attempt has this key' using errcode = 'OK002';
      end if;
      return ${schema}.start_attempt(in_token, in_backstop_ms);
    end $$`,

    // Ends an attempt: writes the record and the events, or nothing. Raises if the caller no longer
    // owns the attempt, because COMMIT may have been sent already and an empty result would not
    // stop it. If it is sent again because the reply was lost, it finds its own record and changes
    // nothing.
    `create function ${schema}.complete_attempt(in_token text, in_namespace text, in_scope text,
      in_key text, in_status integer, in_headers text, in_body bytea, in_seal text,
      in_events json, in_transaction boolean)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '5s' as $$
    declare
      claimed text;
    begin
      if in_transaction
        and current_setting('oncekey.attempt', true) is distinct from in_token
      then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;
      delete from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token
        returning a.fingerprint into claimed;
      if claimed is null then
        perform from ${schema}.records r
          where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key
            and r.token = in_token and not in_transaction;
        if found then
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
      return 'stored';
    end $$`,

    // Releases an attempt that had no effect outside: the key is as if it had never been claimed.
    `create function ${schema}.release_attempt(in_token text, in_namespace text, in_scope text,
      in_key text)
    returns void language plpgsql volatile set enable_seqscan = off set lock_timeout = '5s' as $$
    begin
      delete from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token;
    end $$`,

    // Gives back a claim whose reply was lost and for which nobody waits any longer, so its handler
    // never ran. If it took over an attempt with an unknown outcome, that outcome is unknown again.
    `create function ${schema}.give_back_attempt(in_token text, in_namespace text, in_scope text,
      in_key text)
    returns void language plpgsql volatile set enable_seqscan = off set lock_timeout = '5s' as $$
    begin
      delete from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token and a.number = 1;
      update ${schema}.attempts a set token = null, until = clock_timestamp()
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token;
    end $$`,

    // Ends an attempt without an outcome; nobody owns it from then on. Returns the state of the
    // attempt, for a caller whose COMMIT got no reply: locking the row waits until that COMMIT is
    // done.
    `create function ${schema}.abandon_attempt(in_token text, in_namespace text, in_scope text,
      in_key text)
    returns text language plpgsql volatile set enable_seqscan = off set lock_timeout = '5s' as $$
    begin
      update ${schema}.attempts a set token = null, until = clock_timestamp()
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token;
      if found then
        return 'abandoned';
      end if;
      perform from ${schema}.records r
        where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key
          and r.token = in_token;
      return case when found then 'stored' else 'superseded' end;
    end $$`,

    // Renews the leases of one process, all of them at once, and deletes those that are no longer
    // needed. Returns the tokens that still own their keys.
    `create function ${schema}.renew_leases(in_leases json, in_over json) returns text
    language plpgsql volatile set enable_seqscan = off set lock_timeout = '2s' as $$
    declare
      held text;
    begin
      with asked as materialized (
        select q.token, q.ms from json_to_recordset(in_leases)
            as q (namespace text, scope text, key text, token text, ms bigint)
          join ${schema}.attempts a
            on a.namespace = q.namespace and a.scope = q.scope and a.key = q.key
          where a.token = q.token
          order by q.token
      ), renewed as (
        insert into ${schema}.leases (token, until)
          select asked.token, clock_timestamp() + asked.ms * interval '1 millisecond' from asked
          on conflict (token) do update set until = excluded.until where leases.until is not null
          returning token
      )
      select json_agg(renewed.token)::text into held from renewed;
      if in_over is not null then
        delete from ${schema}.leases l
          where l.token in (select json_array_elements_text(in_over)) and l.until is not null;
      end if;
      return coalesce(held, '[]');
    end $$`,

    // Returns which of the attempts that a process waits for are over: ended, taken over, or past
    // their lease without an open transaction. The number 0 stands for a transaction that holds the
    // key and has no attempt's row.
    `create function ${schema}.ended_attempts(in_attempts json) returns text
    language plpgsql volatile set enable_seqscan = off as $$
    begin
      return (
        select coalesce(json_agg(q.id), '[]')::text from json_to_recordset(in_attempts)
            as q (id text, lock bigint, namespace text, scope text, key text, number integer)
          left join ${schema}.attempts a
            on a.namespace = q.namespace and a.scope = q.scope and a.key = q.key
          left join ${schema}.leases l on l.token = a.token
          where case
            when a.number is distinct from nullif(q.number, 0) then true
            when coalesce(l.until, a.until) > clock_timestamp() then false
            else pg_try_advisory_xact_lock_shared(q.lock)
          end
      );
    end $$`,
    leasedAttemptFunction(schema),
    replaceAttempt(schema),
  ]
}
