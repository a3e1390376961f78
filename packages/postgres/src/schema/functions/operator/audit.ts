import { refuseDropped } from '../expressions/must-be-written.ts'

/**
 * Writes the audit entry of an act. Every statement that acts for an operator calls it, so that the
 * act and its entry are one commit. If the actor has no name, the entry has the login of the
 * connection.
 *
 * It replaces the function of the same name, because both mean the same to their callers.
 */
export function auditFunction2(schema: string): string {
  return `create or replace function ${schema}.audit(in_actor text, in_act text, in_target text,
      in_note text, in_detail jsonb)
    returns bigint language plpgsql volatile as $$
    declare
      written bigint;
    begin
      insert into ${schema}.operations (actor, act, target, note, detail)
        values (coalesce(in_actor, 'login ' || session_user::text), in_act, in_target,
          coalesce(in_note, ''), in_detail)
        returning id into written;
      ${refuseDropped('operations')}
      return written;
    end $$`
}
