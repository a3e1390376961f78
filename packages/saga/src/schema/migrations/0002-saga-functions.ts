/**
 * The functions that take a run and write its moves.
 *
 * They are functions for two reasons. A statement that is sent together with COMMIT has to raise if
 * it does not hold the run: an empty result would be no error, and COMMIT would follow. And a run
 * has to be read in a snapshot taken after its lock. A later migration may add functions, or
 * overloads, but keeps these, because processes of the release before are still running.
 */
export function sagaFunctions(schema: string): string[] {
  return [
    // Every one of them sets 'enable_seqscan' to off. The session keeps the function's plan, and a
    // plan made while a table has one page would read the whole table until the table is analysed.

    // A run in JSON, with what the process that drives it needs.
    `create function ${schema}.saga_snapshot(in_run text) returns json
    language sql stable set enable_seqscan = off as $$
      select json_build_object('id', r.id, 'saga', r.saga, 'version', r.version,
          'definition', r.definition, 'state', r.state, 'input', r.input,
          'epoch', w.epoch, 'lost', w.lost,
          'steps', (
            select coalesce(json_agg(json_build_object('position', s.position, 'name', s.name,
                'state', s.state, 'attempts', s.attempts,
                'compensation_attempts', s.compensation_attempts, 'result', s.result)
                order by s.position), '[]')
              from ${schema}.saga_steps s where s.run_id = r.id))
        from ${schema}.saga_runs r join ${schema}.saga_work w on w.run_id = r.id
        where r.id = in_run
    $$`,

    // Takes due runs of the definitions that the caller knows, the longest due first. VOLATILE, so
    // that each run is read in a snapshot taken after it was locked: in a single statement, the
    // steps would be read from before the last owner's commit. If a due run still has an owner,
    // that owner's lease has ended, and it counts as lost.
    `create function ${schema}.saga_claim(in_known json, in_owner text, in_lease_ms integer,
      in_limit integer)
    returns json language plpgsql volatile set enable_seqscan = off as $$
    declare
      taken text[];
    begin
      with due as materialized (
        select w.run_id from ${schema}.saga_work w
          where w.due_at <= now() and w.definition in (select json_array_elements_text(in_known))
          order by w.due_at
          limit in_limit
          for no key update skip locked
      ), updated as (
        update ${schema}.saga_work w
          set epoch = w.epoch + 1, lost = w.lost + (w.owner is not null)::integer,
            owner = in_owner, due_at = clock_timestamp() + in_lease_ms * interval '1 millisecond'
          from due where w.run_id = due.run_id
          returning w.run_id
      )
      select array_agg(run_id) into taken from updated;
      return (select json_agg(${schema}.saga_snapshot(id)) from unnest(taken) id);
    end $$`,

    // Takes one run if it is due. With the epoch of the owner, the owner takes its own run again,
    // to learn how a commit ended whose reply was lost; it then waits for a commit that may still
    // be under way.
    `create function ${schema}.saga_take(in_run text, in_epoch bigint, in_owner text,
      in_lease_ms integer)
    returns json language plpgsql volatile set enable_seqscan = off as $$
    begin
      if in_epoch is null then
        perform from ${schema}.saga_work w
          where w.run_id = in_run and w.due_at <= now()
          for no key update skip locked;
      else
        perform set_config('lock_timeout', '4s', true);
        perform from ${schema}.saga_work w
          where w.run_id = in_run and w.epoch = in_epoch
          for no key update;
      end if;
      if not found then
        return null;
      end if;
      update ${schema}.saga_work w
        set epoch = w.epoch + 1,
          lost = w.lost + (in_epoch is null and w.owner is not null)::integer,
          owner = in_owner, due_at = clock_timestamp() + in_lease_ms * interval '1 millisecond'
        where w.run_id = in_run;
      return ${schema}.saga_snapshot(in_run);
    end $$`,

    // Ties the transaction to a run, so that nobody else can take the run until the transaction
    // ends. A process that has lost the run gets an error before its first write. The lease is
    // extended only when half of it has passed, so that a short step does not write to the index. A
    // lost host does not close its connection, so the server ends its transaction after
    // 'in_backstop_ms' without a statement.
    `create function ${schema}.saga_hold(in_run text, in_epoch bigint, in_lease_ms integer,
      in_backstop_ms integer)
    returns void language plpgsql volatile set enable_seqscan = off as $$
    declare
      held_until timestamptz;
      ignored text;
    begin
      select w.due_at into held_until from ${schema}.saga_work w
        where w.run_id = in_run and w.epoch = in_epoch
        for no key update;
      if not found then
        raise exception 'this run of a saga is somebody else''s by now' using errcode = 'OK003';
      end if;
      if held_until < clock_timestamp() + in_lease_ms * interval '0.5 milliseconds' then
        update ${schema}.saga_work
          set due_at = clock_timestamp() + in_lease_ms * interval '1 millisecond'
          where run_id = in_run;
      end if;
      ignored := set_config('oncekey.saga', in_run || ' ' || in_epoch, true);
      if in_backstop_ms > 0 then
        ignored := set_config('idle_in_transaction_session_timeout', in_backstop_ms::text, true);
      end if;
    end $$`,

    // Writes a move of a run (its steps, failures, state, events and remaining work), all or
    // nothing. 'in_within' is true if the move ends a step's transaction. That has to be the
    // transaction that 'saga_hold' opened; otherwise the step has committed its writes itself.
    `create function ${schema}.saga_record(in_run text, in_epoch bigint, in_lease_ms integer,
      in_within boolean, in_record json, in_events json)
    returns void language plpgsql volatile set enable_seqscan = off as $$
    declare
      run json := in_record->'run';
      next json := in_record->'next';
      at timestamptz := clock_timestamp();
    begin
      if in_within and current_setting('oncekey.saga', true)
          is distinct from in_run || ' ' || in_epoch then
        raise exception 'the transaction of this step has ended' using errcode = 'OK001';
      end if;
      perform ${schema}.saga_hold(in_run, in_epoch, in_lease_ms, 0);

      insert into ${schema}.saga_steps as s (run_id, position, name, state, attempts,
          compensation_attempts, result, begun_at, done_at, compensated_at)
        select in_run, n.position, n.name, n.state, n.attempts, n.compensation_attempts,
            n.result::json, at,
            case n.state when 'done' then at end,
            case n.state when 'compensated' then at end
          from json_to_recordset(in_record->'steps') as n (position smallint, name text, state text,
            attempts integer, compensation_attempts integer, result text)
        on conflict on constraint saga_steps_pkey do update
          set state = excluded.state, attempts = excluded.attempts,
            compensation_attempts = excluded.compensation_attempts,
            result = coalesce(excluded.result, s.result),
            done_at = coalesce(s.done_at, excluded.done_at),
            compensated_at = coalesce(s.compensated_at, excluded.compensated_at);

      insert into ${schema}.saga_failures (run_id, step, direction, attempt, error, duration_ms,
          failed_at)
        select in_run, f.step, f.direction, f.attempt, f.error::json, f.duration_ms, at
          from json_to_recordset(in_record->'failures') as f (step text, direction text,
            attempt integer, error text, duration_ms integer);

      if run is not null then
        update ${schema}.saga_runs
          set state = run->>'state',
            failed_step = coalesce(failed_step, run->>'failed_step'),
            error = coalesce(error, (run->>'error')::json),
            stuck = coalesce((run->>'stuck')::json, stuck),
            stuck_at = case when run->>'stuck' is not null then at end,
            ended_at = case when (run->>'ended')::boolean then at end
          where id = in_run;
      end if;

      case next->>'kind'
        when 'hold' then
          update ${schema}.saga_work set lost = 0 where run_id = in_run and lost > 0;
        when 'wait' then
          update ${schema}.saga_work
            set owner = null, lost = 0,
              due_at = clock_timestamp() + (next->>'ms')::bigint * interval '1 millisecond'
            where run_id = in_run;
        when 'park' then
          update ${schema}.saga_work set owner = null, lost = 0, due_at = 'infinity'
            where run_id = in_run;
        when 'end' then
          delete from ${schema}.saga_work where run_id = in_run;
      end case;

      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
    end $$`,
  ]
}
