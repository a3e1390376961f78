import { type ActedBy, actedBy } from '@oncekey/core'

/** Who acts and why, as an entry of the audit has it. Throws `OptionsError`. */
export function actedIn(
  verb: string,
  by: ActedBy | undefined,
): { readonly actor: string; readonly note: string } {
  const { actor, note } = actedBy(verb, by)
  // Scripts may not ask for the login of their connection.
  return { actor: actor ?? 'a client of Redis', note: note ?? '' }
}
