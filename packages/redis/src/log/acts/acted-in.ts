import { type ActedBy, actedBy } from '@oncekey/core'

/** The actor and the note of an act, in the form of an audit entry. Throws `OptionsError`. */
export function actedIn(
  verb: string,
  by: ActedBy | undefined,
): { readonly actor: string; readonly note: string } {
  const { actor, note } = actedBy(verb, by)
  // A script cannot find out the login of its connection, so the default is a constant.
  return { actor: actor ?? 'a client of Redis', note: note ?? '' }
}
