import { refuseDropped } from '@oncekey/postgres/client'

/**
 * What an operator does to a run, done or raised: `saga_resume_3`, `saga_compensate_3` and
 * `saga_settle_4` call the functions of the numbers before them, and look whether what those say is
 * on record. A run whose work is gone while it is not over would never go on, and one that is
 * resumed by half would run forward when it is to be undone.
 */
export function actOrRaise(schema: string): string[] {
  return [
    `create function ${schema}.saga_resume_3(in_run text, in_only_dead boolean) returns text
    language plpgsql volatile as $$
    declare
      was text;
      becomes text;
    begin
      select r.state into was from ${schema}.saga_runs r where r.id = in_run for no key update;
      becomes := ${schema}.saga_resume_2(in_run, in_only_dead);
      ${isOnRecord(schema, 'becomes')}
      if becomes is distinct from was then
        perform from ${schema}.saga_work w where w.run_id = in_run and isfinite(w.due_at);
        ${refuseDropped('saga_work')}
        perform from ${schema}.saga_steps s
          where s.run_id = in_run and case becomes
            when 'running' then s.attempts > 0 and s.state in ('begun', 'undone', 'failed')
            else s.compensation_attempts > 0 and s.state <> 'compensated' end;
        ${refuseDropped('saga_steps', 'found')}
      end if;
      return becomes;
    end $$`,
    `create function ${schema}.saga_compensate_3(in_run text, in_forward_from integer,
      in_error text, in_past_pivot boolean)
    returns text language plpgsql volatile as $$
    declare
      was text;
      becomes text;
    begin
      select r.state into was from ${schema}.saga_runs r where r.id = in_run for no key update;
      becomes := ${schema}.saga_compensate_2(in_run, in_forward_from, in_error, in_past_pivot);
      if becomes <> 'past-pivot' then
        ${isOnRecord(schema, 'becomes')}
      end if;
      if becomes = 'compensating' and was <> becomes then
        perform from ${schema}.saga_work w where w.run_id = in_run and isfinite(w.due_at);
        ${refuseDropped('saga_work')}
        perform from ${schema}.saga_steps s
          where s.run_id = in_run and s.compensation_attempts > 0 and s.state <> 'compensated';
        ${refuseDropped('saga_steps', 'found')}
      end if;
      return becomes;
    end $$`,
    `create function ${schema}.saga_settle_4(in_run text, in_note text) returns text
    language plpgsql volatile as $$
    declare
      becomes text;
    begin
      becomes := ${schema}.saga_settle_3(in_run, in_note);
      ${isOnRecord(schema, 'becomes')}
      if becomes = 'settled' then
        perform from ${schema}.saga_work w where w.run_id = in_run;
        ${refuseDropped('saga_work', 'found')}
      end if;
      return becomes;
    end $$`,
  ]
}

function isOnRecord(schema: string, state: string): string {
  return `if ${state} is not null then
        perform from ${schema}.saga_runs r where r.id = in_run and r.state = ${state};
        ${refuseDropped('saga_runs')}
      end if;`
}
