/**
 * `saga_act_2`: an earlier version of `saga_act_3`, for processes of an earlier release. An
 * operator's act on a run, with its audit entry, in one commit. It calls the function that acts and
 * compares the run with what it was: an act that found nothing to do leaves no entry. Work that was
 * taken away from whoever had it has a new epoch and no owner; a claim beside this names an owner.
 */
export function actOnRunOrRaise(schema: string): string {
  return `create function ${schema}.saga_act_2(in_act text, in_run text, in_actor text, in_note text,
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
        becomes := ${schema}.saga_resume_3(in_run, false);
      elsif in_act = 'sagas.compensate' then
        becomes := ${schema}.saga_compensate_3(in_run, in_forward_from, in_error, in_past_pivot);
      else
        becomes := ${schema}.saga_settle_4(in_run, in_note);
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
