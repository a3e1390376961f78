/**
 * The functions by which an operator acts on a run, even if a process drives it. None of them waits
 * for a step, whose transaction may be open for long: they lock the run and skip locked work rows.
 * Each returns the state in which it leaves the run, or null if there is no such run.
 */
export function interventions(schema: string): string[] {
  return [compensateRun(schema), resumeRun(schema)]
}

/**
 * `saga_compensate_2`: undoes a run. If the run has begun a step at `in_forward_from` or later,
 * from where a saga only goes forward, it is not changed, unless `in_past_pivot` is set.
 *
 * If a process drives the run, the run is only marked as cancelled. That process sees the mark at
 * its next poll, aborts its step, and compensates once the step has ended. If the process is gone,
 * another one compensates when the lease ends. An owner of an earlier release does not poll, so the
 * run is taken away from it.
 */
function compensateRun(schema: string): string {
  return `create function ${schema}.saga_compensate_2(in_run text, in_forward_from integer,
      in_error text, in_past_pivot boolean)
    returns text language plpgsql volatile as $$
    declare
      was text;
      owner_looks boolean;
    begin
      select r.state into was from ${schema}.saga_runs r where r.id = in_run for no key update;
      if not found or was not in ('running', 'stuck', 'compensation-failed') then
        return was;
      end if;
      if not in_past_pivot and exists (
        select from ${schema}.saga_steps
          where run_id = in_run and position >= in_forward_from and state in ('begun', 'done')
      ) then
        return 'past-pivot';
      end if;
      update ${schema}.saga_runs
        set state = 'compensating', stuck_at = null, error = coalesce(error, in_error::json)
        where id = in_run;
      update ${schema}.saga_steps set compensation_attempts = 0
        where run_id = in_run and state <> 'compensated' and compensation_attempts > 0;
      select w.move_epoch = w.epoch into owner_looks
        from ${schema}.saga_work w where w.run_id = in_run;
      if owner_looks then
        perform from ${schema}.saga_work w
          where w.run_id = in_run and (w.owner is null or w.due_at <= clock_timestamp())
          for no key update skip locked;
      else
        perform from ${schema}.saga_work w where w.run_id = in_run for no key update;
      end if;
      if found then
        ${takeAway(schema)}
      end if;
      return 'compensating';
    end $$`
}

/**
 * `saga_resume_2`: makes a run continue from where it stopped, with its attempts counted from zero:
 * forward from 'stuck', backward from 'compensation-failed'. A waiting run becomes due at once,
 * unless `in_only_dead` is set. A run that a process drives is not changed.
 */
function resumeRun(schema: string): string {
  return `create function ${schema}.saga_resume_2(in_run text, in_only_dead boolean) returns text
    language plpgsql volatile as $$
    declare
      was text;
    begin
      select r.state into was from ${schema}.saga_runs r where r.id = in_run for no key update;
      if not found or was not in ('running', 'compensating', 'stuck', 'compensation-failed')
        or in_only_dead and was not in ('stuck', 'compensation-failed')
      then
        return was;
      end if;
      perform from ${schema}.saga_work w
        where w.run_id = in_run and (w.owner is null or w.due_at <= clock_timestamp())
        for no key update skip locked;
      if not found then
        return was;
      end if;
      ${takeAway(schema)}
      if was = 'stuck' then
        update ${schema}.saga_runs
          set state = 'running', stuck_at = null, resumes = resumes + 1,
            resumed_at = clock_timestamp()
          where id = in_run;
        update ${schema}.saga_steps set attempts = 0
          where run_id = in_run and state in ('begun', 'undone', 'failed');
        return 'running';
      elsif was = 'compensation-failed' then
        update ${schema}.saga_runs
          set state = 'compensating', stuck_at = null, resumes = resumes + 1,
            resumed_at = clock_timestamp()
          where id = in_run;
        update ${schema}.saga_steps set compensation_attempts = 0
          where run_id = in_run and state <> 'compensated';
        return 'compensating';
      end if;
      return was;
    end $$`
}

/**
 * Removes the owner of a locked work row and makes the run due. The former owner can record nothing
 * more.
 */
function takeAway(schema: string): string {
  return `update ${schema}.saga_work
          set epoch = epoch + 1, move = gen_random_uuid()::text, move_epoch = epoch + 1,
            owner = null, lost = 0, due_at = now(), due_in_ms = 0
          where run_id = in_run;`
}
