import { OptionsError } from '../errors/errors.ts'

/**
 * Who acts on stored state from outside, and why. Every act writes both to the audit trail in its
 * own commit: neither an act nor its audit entry exists without the other.
 */
export interface Act {
  /**
   * The person or program that acts, as the audit trail shows it: `'maria@shop.example'`. 1 to 200
   * characters.
   */
  readonly actor: string
  /** The reason, for later readers of the audit trail. 1 to 2,000 characters. */
  readonly note: string
}

/**
 * An act that a program may also do by itself, such as registering an endpoint. If `actor` is left
 * out, the audit trail names the login of the connection.
 */
export type ActedBy = Partial<Act>

/**
 * Validates the given parts of an act and returns them; a part that was not given is `null`. Throws
 * {@link OptionsError}.
 */
export function actedBy(
  verb: string,
  { actor, note }: ActedBy = {},
): { readonly actor: string | null; readonly note: string | null } {
  return {
    actor:
      actor === undefined ? null : text(verb, 'actor', actor, 200, "actor: 'maria@shop.example'"),
    note: note === undefined ? null : text(verb, 'note', note, 2_000, "note: 'ticket 4711'"),
  }
}

/** Makes the target of an act in the form of {@link Operation.target}: its kind, then its names. */
export function actTarget(kind: string, ...names: readonly string[]): string {
  return JSON.stringify([kind, ...names])
}

/** Validates an act and returns it without any extra properties. Throws {@link OptionsError}. */
export function checkedAct(verb: string, act: Act): Act {
  const { actor, note } = act ?? {}
  return {
    actor: text(verb, 'actor', actor, 200, "actor: 'maria@shop.example'"),
    note: text(verb, 'note', note, 2_000, "note: 'the gateway confirmed the charge'"),
  }
}

function text(verb: string, name: string, value: unknown, most: number, example: string): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= most) {
    // PostgreSQL cannot store this character in text.
    if (!value.includes('\0')) return value
  }
  throw new OptionsError(
    `${verb}: \`${name}\` must be 1 to ${most} characters, without a NUL: it goes on record with the act. Write ${example}.`,
  )
}
