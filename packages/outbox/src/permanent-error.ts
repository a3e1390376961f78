/**
 * What a consumer throws when trying again cannot help: the event goes to the dead letters at once.
 *
 * @example
 * ```ts
 * if (!isEmail(to)) throw new PermanentError(`"${to}" is not an address.`)
 * ```
 */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
}
