/**
 * `saga_act`: carries out an operator's act on a run and writes the audit entry, in one commit. It
 * calls the function that acts, and compares the run before and after: if nothing has changed, it
 * writes no entry. Removing the run's owner counts as a change, and shows in a new epoch without an
 * owner; a process that claims the run at the same time also raises the epoch, but is then the
 * owner.
 */
export function actOnRun(schema: string): string {
  return `create function ${schema}.saga_act(in_act text, in_run text, in_actor text, in_note text,
      in_target text, in_forward_from integer, in_error text, in_past_pivot boolean)
    returns text language plpgsql volatile as $$
    declare
      was text;
      epoch_was bigint;
      becomes text;
      is_taken boolean;
    begin
      select r.state into was from ${schema}.saga_runs r where r.id = in_run for no key update;
      if not found then
        return null;
      end if;
      select w.epoch into epoch_was from ${schema}.saga_work w where w.run_id = in_run;
      if in_act = 'sagas.resume' then
        becomes := ${schema}.saga_resume_2(in_run, false);
      elsif in_act = 'sagas.compensate' then
        becomes := ${schema}.saga_compensate_2(in_run, in_forward_from, in_error, in_past_pivot);
      else
        becomes := ${schema}.saga_settle_3(in_run, in_note);
      end if;
      if becomes = 'past-pivot' then
        return becomes;
      end if;
      select w.epoch <> epoch_was and w.owner is null into is_taken
        from ${schema}.saga_work w where w.run_id = in_run;
      if becomes is distinct from was or is_taken then
        perform ${schema}.audit(in_actor, in_act, in_target, in_note,
          jsonb_build_object('was', was, 'state', becomes));
      end if;
      return becomes;
    end $$`
}
