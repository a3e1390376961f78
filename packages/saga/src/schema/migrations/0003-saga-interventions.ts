/**
 * The functions by which an operator acts on a run. Each takes the run away from the process that
 * drives it, by raising the epoch under the lock of the work row, so that a step under way can
 * record nothing more. Each returns the state in which it leaves the run, or null if there is no
 * such run.
 */
export function sagaInterventions(schema: string): string[] {
  return [
    // Lets a run continue from where it stopped, with its attempts counted from zero: forward from
    // 'stuck', backward from 'compensation-failed'. A waiting run is due at once, unless only dead
    // runs are meant.
    `create function ${schema}.saga_resume(in_run text, in_only_dead boolean) returns text
    language plpgsql volatile as $$
    declare
      was text;
    begin
      perform from ${schema}.saga_work where run_id = in_run for no key update;
      if not found then
        return (select state from ${schema}.saga_runs where id = in_run);
      end if;
      select state into was from ${schema}.saga_runs where id = in_run for no key update;
      if in_only_dead and was not in ('stuck', 'compensation-failed') then
        return was;
      end if;
      update ${schema}.saga_work set epoch = epoch + 1, owner = null, lost = 0, due_at = now()
        where run_id = in_run;
      if was = 'stuck' then
        update ${schema}.saga_runs
          set state = 'running', stuck_at = null, resumes = resumes + 1,
            resumed_at = clock_timestamp()
          where id = in_run;
        update ${schema}.saga_steps set attempts = 0
          where run_id = in_run and state in ('begun', 'undone', 'failed');
      elsif was = 'compensation-failed' then
        update ${schema}.saga_runs
          set state = 'compensating', stuck_at = null, resumes = resumes + 1,
            resumed_at = clock_timestamp()
          where id = in_run;
        update ${schema}.saga_steps set compensation_attempts = 0
          where run_id = in_run and state <> 'compensated';
      end if;
      return (select state from ${schema}.saga_runs where id = in_run);
    end $$`,

    // Undoes a run. If the run has begun a step at 'in_forward_from' or later, from where a saga
    // only goes forward, it is not changed, unless the caller passes 'in_past_pivot'.
    `create function ${schema}.saga_compensate(in_run text, in_forward_from integer, in_error text,
      in_past_pivot boolean)
    returns text language plpgsql volatile as $$
    declare
      was text;
    begin
      perform from ${schema}.saga_work where run_id = in_run for no key update;
      if not found then
        return (select state from ${schema}.saga_runs where id = in_run);
      end if;
      if not in_past_pivot and exists (
        select from ${schema}.saga_steps
          where run_id = in_run and position >= in_forward_from and state in ('begun', 'done')
      ) then
        return 'past-pivot';
      end if;
      select state into was from ${schema}.saga_runs where id = in_run for no key update;
      if was <> 'compensating' then
        update ${schema}.saga_work set epoch = epoch + 1, owner = null, lost = 0, due_at = now()
          where run_id = in_run;
        update ${schema}.saga_runs
          set state = 'compensating', stuck_at = null,
            error = coalesce(error, in_error::json)
          where id = in_run;
        update ${schema}.saga_steps set compensation_attempts = 0
          where run_id = in_run and state <> 'compensated';
      end if;
      return 'compensating';
    end $$`,

    // Ends a run that somebody has repaired by hand, unless a process drives it.
    `create function ${schema}.saga_settle(in_run text, in_note text) returns text
    language plpgsql volatile as $$
    begin
      perform from ${schema}.saga_work where run_id = in_run for no key update;
      if found then
        update ${schema}.saga_runs
          set state = 'settled', note = in_note, stuck_at = null,
            ended_at = clock_timestamp()
          where id = in_run and (state in ('stuck', 'compensation-failed')
            or exists (select from ${schema}.saga_work where run_id = in_run and due_at <= now()));
        if found then
          delete from ${schema}.saga_work where run_id = in_run;
        end if;
      end if;
      return (select state from ${schema}.saga_runs where id = in_run);
    end $$`,
  ]
}
