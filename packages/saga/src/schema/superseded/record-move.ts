/**
 * The first form of `saga_record_2`. The function in `record-whole-move.ts` replaces it; what both
 * do is described there.
 */
export function recordMove(schema: string): string {
  return `create function ${schema}.saga_record_2(in_run text, in_epoch bigint, in_move text,
      in_next_move text, in_state text, in_lease_ms integer, in_within boolean,
      in_guarded boolean, in_own integer, in_record json, in_events json)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      run json := in_record->'run';
      next json := in_record->'next';
      at timestamptz := clock_timestamp();
      held ${schema}.saga_work;
      cancelled boolean := false;
    begin
      if in_within and current_setting('oncekey.saga', true)
          is distinct from in_run || ' ' || in_epoch || ' ' || in_move then
        raise exception 'the transaction of this step has ended' using errcode = 'OK001';
      end if;
      select w.* into held from ${schema}.saga_work w
        where w.run_id = in_run and w.epoch = in_epoch and w.move = in_move
        for no key update;
      if not found then
        raise exception 'another process has this run of a saga' using errcode = 'OK003';
      end if;

      if run is not null then
        update ${schema}.saga_runs
          set state = run->>'state',
            failed_step = coalesce(failed_step, run->>'failed_step'),
            error = coalesce(error, (run->>'error')::json),
            stuck = coalesce((run->>'stuck')::json, stuck),
            stuck_at = case when run->>'stuck' is not null then at end,
            ended_at = case when (run->>'ended')::boolean then at end
          where id = in_run and state = in_state;
      elsif in_guarded then
        perform from ${schema}.saga_runs r where r.id = in_run and r.state = in_state for share;
      else
        perform from ${schema}.saga_runs r where r.id = in_run and r.state = in_state;
      end if;
      if not found then
        cancelled := true;
        next := '{"kind":"hold"}';
      end if;

      insert into ${schema}.saga_steps as s (run_id, position, name, state, attempts,
          compensation_attempts, result, begun_at, done_at, compensated_at)
        select in_run, n.position, n.name, n.state, n.attempts, n.compensation_attempts,
            n.result::json, at,
            case n.state when 'done' then at end,
            case n.state when 'compensated' then at end
          from json_to_recordset(in_record->'steps') as n (position smallint, name text, state text,
            attempts integer, compensation_attempts integer, result text)
          where not cancelled or n.position = in_own
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

      case next->>'kind'
        when 'hold' then
          if held.due_at < at + in_lease_ms * interval '0.5 milliseconds' then
            update ${schema}.saga_work
              set move = in_next_move, lost = 0,
                due_at = at + in_lease_ms * interval '1 millisecond', due_in_ms = in_lease_ms
              where run_id = in_run;
          else
            update ${schema}.saga_work set move = in_next_move, lost = 0 where run_id = in_run;
          end if;
        when 'wait' then
          update ${schema}.saga_work
            set move = in_next_move, owner = null, lost = 0, due_in_ms = (next->>'ms')::bigint,
              due_at = clock_timestamp() + (next->>'ms')::bigint * interval '1 millisecond'
            where run_id = in_run;
        when 'give-back' then
          -- Not forgiven: whether its processes vanish is still to be seen.
          update ${schema}.saga_work
            set move = in_next_move, owner = null,
              due_at = case when (next->>'now')::boolean then now() else due_at end
            where run_id = in_run;
        when 'park' then
          update ${schema}.saga_work
            set move = in_next_move, owner = null, lost = 0, due_at = 'infinity'
            where run_id = in_run;
        when 'end' then
          delete from ${schema}.saga_work where run_id = in_run;
      end case;

      if in_events is not null then
        perform ${schema}.append_events(in_events);
      end if;
      return case when cancelled then 'cancelled' else 'written' end;
    end $$`
}
