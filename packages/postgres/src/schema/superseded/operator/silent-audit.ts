/**
 * The first form of `audit`, which did not notice an entry that was not written. The function in
 * `functions/operator/audit.ts` replaces it.
 *
 * Writes the audit entry of an act. Every statement that acts for an operator calls it, so that the
 * act and its entry are one commit. If the actor has no name, the entry has the login of the
 * connection.
 */
export function auditFunction(schema: string): string {
  return `create function ${schema}.audit(in_actor text, in_act text, in_target text, in_note text,
      in_detail jsonb)
    returns bigint language sql volatile as $$
      insert into ${schema}.operations (actor, act, target, note, detail)
        values (coalesce(in_actor, 'login ' || session_user::text), in_act, in_target,
          coalesce(in_note, ''), in_detail)
        returning id
    $$`
}
