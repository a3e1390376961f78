/**
 * `saga_discard`: settles a run if it is dead, and returns whether it did. The run is locked before
 * it is looked at: one that somebody has just resumed goes on, and is not over.
 */
export function discardRun(schema: string): string {
  return `create function ${schema}.saga_discard(in_run text, in_actor text, in_note text,
      in_target text)
    returns boolean language plpgsql volatile as $$
    begin
      perform from ${schema}.saga_runs r
        where r.id = in_run and r.state in ('stuck', 'compensation-failed')
        for no key update;
      if not found then
        return false;
      end if;
      return ${schema}.saga_act_3('sagas.settle', in_run, in_actor, in_note, in_target, null, null,
        false) = 'settled';
    end $$`
}
