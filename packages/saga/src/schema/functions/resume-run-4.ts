import { refuseDropped } from '@oncekey/postgres/client'

/**
 * `saga_resume_4`: makes a run continue from where it stopped, with its attempts counted from zero:
 * also a run that waits for its next attempt, which becomes due at once. Returns the state in which
 * it leaves the run. A run that a process drives is not changed, and the function returns
 * 'under-way': the attempt that has begun counts on.
 *
 * Only `saga_act_3` calls it, which has locked the run.
 */
export function resumeAlsoWhatWaits(schema: string): string {
  return `create function ${schema}.saga_resume_4(in_run text) returns text
    language plpgsql volatile as $$
    declare
      was text;
      epoch_was bigint;
      becomes text;
    begin
      select r.state into was from ${schema}.saga_runs r where r.id = in_run for no key update;
      if not found or was not in ('running', 'compensating', 'stuck', 'compensation-failed') then
        return was;
      end if;
      select w.epoch into epoch_was from ${schema}.saga_work w
        where w.run_id = in_run and (w.owner is null or w.due_at <= clock_timestamp())
        for no key update skip locked;
      if not found then
        return case when was in ('running', 'compensating') then 'under-way' else was end;
      end if;
      becomes := ${schema}.saga_resume_3(in_run, false);
      perform from ${schema}.saga_work w
        where w.run_id = in_run and w.epoch > epoch_was and w.owner is null and isfinite(w.due_at);
      ${refuseDropped('saga_work')}
      if was = 'running' then
        update ${schema}.saga_steps set attempts = 0
          where run_id = in_run and attempts > 0 and state in ('begun', 'undone', 'failed');
        perform from ${schema}.saga_steps s
          where s.run_id = in_run and s.attempts > 0 and s.state in ('begun', 'undone', 'failed');
        ${refuseDropped('saga_steps', 'found')}
      elsif was = 'compensating' then
        update ${schema}.saga_steps set compensation_attempts = 0
          where run_id = in_run and compensation_attempts > 0 and state <> 'compensated';
        perform from ${schema}.saga_steps s
          where s.run_id = in_run and s.compensation_attempts > 0 and s.state <> 'compensated';
        ${refuseDropped('saga_steps', 'found')}
      end if;
      return becomes;
    end $$`
}
