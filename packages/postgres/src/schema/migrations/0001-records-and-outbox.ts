/**
 * The records of finished keys, the outbox, and the functions that the store calls.
 *
 * They are functions because then lock, snapshot and read are one round trip, and because the
 * session keeps their plans whether or not the driver prepares statements. A later migration may
 * add functions under other names, but keeps these, because processes of the release before are
 * still running.
 */
export function recordsAndOutbox(schema: string): string[] {
  return [
    `create table ${schema}.records (
      namespace text collate "C" not null,
      scope text collate "C" not null,
      key text collate "C" not null,
      fingerprint text not null,
      status integer not null,
      headers text,
      body bytea,
      seal text,
      completed_at timestamptz not null default clock_timestamp(),
      constraint records_pkey primary key (namespace, scope, key)
    )`,

    // The index that 'purge' goes through. Every record is in one of these two indexes.
    `create index records_with_result on ${schema}.records (completed_at) where body is not null`,
    `create index records_without_result on ${schema}.records (completed_at) where body is null`,

    // 'data' is json, not jsonb, to keep the exact text, and because jsonb refuses \\u0000. The
    // sequence hands out single numbers: if it handed out blocks, consecutive events would not get
    // consecutive numbers.
    //
    // The table is partitioned by day, in a ring of eight partitions that all exist from the start.
    // So an append always finds the partition of its day, nothing has to be created ahead, and old
    // events are removed by TRUNCATE.
    `create table ${schema}.outbox (
      part smallint not null
        default (floor(extract(epoch from clock_timestamp()) / 86400)::bigint % 8)::smallint,
      slot smallint not null check (slot between 0 and 63),
      xid xid8 not null default pg_current_xact_id(),
      seq bigint generated always as identity (cache 1),
      id uuid not null,
      type text not null,
      source text not null,
      subject text,
      ordering_key text not null,
      data json not null,
      headers jsonb not null,
      occurred_at timestamptz not null,
      constraint outbox_pkey primary key (seq, part)
    ) partition by list (part)`,
    ...Array.from(
      { length: 8 },
      (_, part) =>
        `create table ${schema}.outbox_${part} partition of ${schema}.outbox for values in (${part})`,
    ),
    `create index outbox_xid on ${schema}.outbox (xid)`,

    // Every function that reads records sets 'enable_seqscan' to off. The session keeps the
    // function's plan, and a plan made while the table has one page would read the whole table
    // until the table is analysed.

    // Returns what is known of a key, without its lock, as JSON; null if nothing is known.
    // 'leased_attempt', which the next migration creates, returns what a store in lease mode knows
    // of the key. It is asked before the records are read, because an attempt that completes moves
    // from there to the records.
    `create function ${schema}.find_record(in_namespace text, in_scope text, in_key text)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      leased text := ${schema}.leased_attempt(in_namespace, in_scope, in_key);
      kept ${schema}.records;
    begin
      select * into kept from ${schema}.records r
        where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
      if kept.fingerprint is null then
        return leased;
      end if;
      return '{"state":"finished","record":' || ${schema}.record_json(kept) || '}';
    end $$`,

    `create function ${schema}.record_json(kept ${schema}.records) returns text
    language sql immutable as $$
      select json_build_object('fingerprint', kept.fingerprint, 'status', kept.status,
        'headers', kept.headers, 'body', encode(kept.body, 'hex'), 'seal', kept.seal)::text
    $$`,

    // Claims a key: tries the lock first, then reads the record. VOLATILE, so that the read has its
    // own snapshot, taken after the lock was tried, and sees every attempt that finished before.
    // Returns JSON, because planning a row of columns takes longer than all the work here. Counted
    // in instructions of the server: claim and completion took 497,000 beside 234,000 for the bare
    // transaction, and take 395,000. Saved by: no casts in the calls (60,000), only a look at what
    // is mostly not there (7,000), the start of the attempt here and not in a function of its own
    // (13,000), no speculative insertion at the end (25,000).
    `create function ${schema}.claim(in_lock bigint, in_namespace text, in_scope text, in_key text,
      in_attempt text, in_backstop_ms integer, in_read boolean)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      won boolean := pg_try_advisory_xact_lock(in_lock);
      known text;
      ignored text;
    begin
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
    end $$`,

    // Waits until the attempt that has the key's lock has ended, then reads the record. VOLATILE,
    // so that the read does not use the snapshot from before the wait. The lock is shared, and
    // released with the statement, so a waiter blocks neither a running attempt nor the storing of
    // a refusal.
    `create function ${schema}.wait_for_end(in_lock bigint, in_namespace text, in_scope text,
      in_key text, in_wait_ms integer)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      kept ${schema}.records;
    begin
      perform set_config('lock_timeout', in_wait_ms::text, true);
      perform pg_advisory_xact_lock_shared(in_lock);
      select * into kept from ${schema}.records r
        where r.namespace = in_namespace and r.scope = in_scope and r.key = in_key;
      if kept.fingerprint is not null then
        return '{"state":"finished","record":' || ${schema}.record_json(kept) || '}';
      end if;
      return '{"state":"outdated"}';
    exception when lock_not_available then
      return '{"state":"in-progress"}';
    end $$`,

    // Starts an attempt that has no key.
    `create function ${schema}.start_attempt(in_attempt text, in_backstop_ms integer)
    returns text language plpgsql volatile as $$
    declare
      ignored text;
    begin
      ${START_ATTEMPT}
    end $$`,

    // The transaction gets its id before the events get their numbers, on which readers rely.
    `create function ${schema}.append_events(in_events json) returns void
    language plpgsql volatile as $$
    declare
      own_xid xid8 := pg_current_xact_id();
    begin
      insert into ${schema}.outbox
          (xid, slot, id, type, source, subject, ordering_key, data, headers, occurred_at)
        select own_xid, e.slot, e.id, e.type, e.source, e.subject, e.ordering_key, e.data::json, e.headers,
            e.occurred_at
          from rows from (json_to_recordset(in_events) as (
            slot smallint, id uuid, type text, source text, subject text, ordering_key text,
            data text, headers jsonb, occurred_at timestamptz
          )) with ordinality as e
            (slot, id, type, source, subject, ordering_key, data, headers, occurred_at, position)
          order by e.position;
    end $$`,

    // Ends an attempt: writes the record and the events, or nothing. Raises if the transaction is
    // no longer this attempt's: if the handler committed by itself, the lock is released, and
    // further statements would each be committed alone. Raises a unique_violation of 'records_pkey'
    // if another attempt has the record. It raises because COMMIT may have been sent already, and
    // an empty result would not stop it.
    `create function ${schema}.complete(in_attempt text, in_namespace text, in_scope text,
      in_key text, in_fingerprint text, in_status integer, in_headers text, in_body bytea,
      in_seal text, in_events json)
    returns void language plpgsql volatile as $$
    begin
      if current_setting('oncekey.attempt', true) is distinct from in_attempt then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;
      insert into ${schema}.records
          (namespace, scope, key, fingerprint, status, headers, body, seal)
        values (in_namespace, in_scope, in_key, in_fingerprint, in_status, in_headers, in_body,
          in_seal);
      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
    end $$`,

    // Ends an attempt that has no key.
    `create function ${schema}.end_attempt(in_attempt text, in_events json) returns void
    language plpgsql volatile as $$
    begin
      if current_setting('oncekey.attempt', true) is distinct from in_attempt then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;
      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
    end $$`,

    // Stores a refusal after the handler's writes were rolled back, which released the key's lock.
    // Claims that waited for the lock hold it for an instant only; whoever holds it longer is the
    // next attempt, which will write the record.
    `create function ${schema}.refuse(in_lock bigint, in_namespace text, in_scope text, in_key text,
      in_fingerprint text, in_status integer, in_headers text, in_body bytea, in_seal text)
    returns text language plpgsql volatile as $$
    begin
      if not pg_try_advisory_xact_lock(in_lock) then
        begin
          perform set_config('lock_timeout', '500ms', true);
          perform pg_advisory_xact_lock(in_lock);
        exception when lock_not_available then
          return 'superseded';
        end;
      end if;
      insert into ${schema}.records
          (namespace, scope, key, fingerprint, status, headers, body, seal)
        values (in_namespace, in_scope, in_key, in_fingerprint, in_status, in_headers, in_body,
          in_seal)
        on conflict on constraint records_pkey do nothing;
      return case when found then 'stored' else 'superseded' end;
    end $$`,
  ]
}

/**
 * Marks the transaction as this attempt's, and limits how long it may be idle, so that a lost host
 * does not hold the key for ever. Returns when the transaction began, and the backend's pid, by
 * which the transaction can be ended from another connection.
 */
const START_ATTEMPT = `
      ignored := set_config('oncekey.attempt', in_attempt, true);
      if in_backstop_ms > 0 then
        ignored := set_config('idle_in_transaction_session_timeout', in_backstop_ms::text, true);
      end if;
      return concat('{"state":"run","backend":', pg_backend_pid(), ',"started":"',
        (extract(epoch from transaction_timestamp()) * 1000000)::bigint, '"}');`
