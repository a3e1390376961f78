/**
 * Makes what is stored of a scope's keys anonymous, and enters that act in the audit. The stored
 * responses of finished keys are emptied, as after their retention. The audit entries of acts on
 * these keys lose their target, note and detail. Keys stay, so that nothing runs twice. `in_prefix`
 * is how the targets of these keys begin. Returns how many responses and how many entries were
 * erased; locked ones are left for the next call. The token stays, a random number, so that the
 * attempt is still known if the key is forgotten.
 */
export function eraseScope2(schema: string): string {
  return `create function ${schema}.erase_scope_2(in_namespace text, in_scope text, in_prefix text,
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
        update ${schema}.records r set body = null, headers = null, seal = null
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

/**
 * A trigger that refuses changes of the audit. The one change it allows is to erase an entry of an
 * act on a key, if the erased entry names the act that erased it. Who acted, what they did and when
 * stays.
 */
export function refuseOtherChangeFunction(schema: string): string {
  return `create function ${schema}.refuse_other_change() returns trigger language plpgsql as $$
    begin
      if new.id = old.id and new.at = old.at and new.actor = old.actor and new.act = old.act
        and old.act in (${ACTS_ON_KEYS}) and new.target = '["erased"]' and new.note = ''
        and new.detail = jsonb_build_object('erasedBy', new.detail->>'erasedBy')
        and exists (select from ${schema}.operations o
          where o.id::text = new.detail->>'erasedBy' and o.act = 'keys.erase-scope')
      then
        return new;
      end if;
      raise exception 'operations are only ever added: % is refused', tg_op
        using errcode = 'restrict_violation';
    end $$`
}

export const ACTS_ON_KEYS = "'keys.release', 'keys.answer', 'keys.forget'"
