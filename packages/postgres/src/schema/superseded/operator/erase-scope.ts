import { ACTS_ON_KEYS } from '../../functions/operator/erase-scope-2.ts'

/**
 * The first version of `erase_scope_2`, for processes of an earlier release. It also empties the
 * token.
 */
export function eraseScopeFunction(schema: string): string {
  return `create function ${schema}.erase_scope(in_namespace text, in_scope text, in_prefix text,
      in_actor text, in_target text, in_note text, out responses bigint, out entries bigint)
    language plpgsql volatile set jit = off as $$
    declare
      erasing bigint;
    begin
      with due as materialized (
        select r.ctid as at from ${schema}.records r
          where r.namespace = in_namespace and r.scope = in_scope
            and (r.body is not null or r.headers is not null)
          for update skip locked
      ), emptied as (
        update ${schema}.records r set body = null, headers = null, seal = null, token = null
          from due where r.ctid = due.at
          returning 1
      )
      select count(*) into responses from emptied;
      select count(*) into entries from ${schema}.operations o
        where o.act in (${ACTS_ON_KEYS}) and starts_with(o.target, in_prefix);
      erasing := ${schema}.audit(in_actor, 'keys.erase-scope',
        in_target, in_note,
        jsonb_build_object('responses', responses, 'entries', entries));
      update ${schema}.operations o
        set target = '["erased"]', note = '', detail = jsonb_build_object('erasedBy', erasing::text)
        where o.act in (${ACTS_ON_KEYS}) and starts_with(o.target, in_prefix);
    end $$`
}
