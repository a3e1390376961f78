/** An earlier version of `release_attempt_3`, for processes of an earlier release. */
export function releaseAttempt2(schema: string): string {
  return `create function ${schema}.release_attempt_2(in_token text, in_namespace text,
      in_scope text, in_key text)
    returns void language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '5s' as $$
    begin
      delete from ${schema}.attempts a
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
          and a.token = in_token;
      insert into ${schema}.leases (token, until) values ('released:' || in_token, null)
        on conflict (token) do nothing;
    end $$`
}
