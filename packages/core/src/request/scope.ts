import { OncekeyError } from '../errors/errors.ts'
import { asError } from '../options/call-option.ts'
import { heard, isPromise } from '../options/check-option.ts'

/**
 * Who a key belongs to, chosen by the server: a function of the request (tenant, user, API key), or
 * this literal. The literal makes every caller share one space of keys, so that whoever guesses a
 * key is shown its stored response.
 */
export type Scope<Req> = ((request: Req) => string | Promise<string>) | 'dangerously-shared'

const MAX_BYTES = 255

/**
 * What `String()` and templates make of a missing value, or of an object used in place of its id.
 */
const NOTHING_AS_TEXT = /^(?:undefined|null|NaN|\[object \w+\]|\s+)$/

/**
 * Determines the scope of a request. Throws `scope-invalid` rather than fall back to a shared
 * scope.
 */
export function resolveScope<Req>(scope: Scope<Req>, request: Req): string | Promise<string> {
  if (scope === 'dangerously-shared') return ''
  let returned: string | Promise<string>
  try {
    returned = scope(request)
  } catch (error) {
    throw asError(error)
  }
  if (!isPromise(returned)) return checkScope(returned)
  const checked: Promise<string> = returned.then(checkScope)
  // It may be awaited by nobody, because the request is refused before its scope is needed.
  return heard(checked)
}

/**
 * Checks a scope: at most 255 bytes of well-formed text without control characters, not empty, and
 * not what a missing value becomes as text, such as `undefined`.
 */
export function checkScope(scope: unknown): string {
  if (typeof scope !== 'string' || scope === '') {
    throw new OncekeyError(
      'scope-invalid',
      `scope() must return a non-empty string, and returned ${scope === '' ? '""' : typeof scope}. ` +
        'Return the id of the tenant, user or API key; authenticate before idempotency().',
    )
  }
  if (NOTHING_AS_TEXT.test(scope)) {
    throw new OncekeyError(
      'scope-invalid',
      `scope() returned "${scope}", which is what a missing value becomes as text: every caller without one ` +
        'would share it. Authenticate before idempotency(), and let scope() throw where nobody is known.',
    )
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (!scope.isWellFormed() || /[\x00-\x1f\x7f]/.test(scope) || utf8Length(scope) > MAX_BYTES) {
    throw new OncekeyError(
      'scope-invalid',
      `scope() must return at most ${MAX_BYTES} bytes of text without control characters; hash a longer identifier.`,
    )
  }
  return scope
}

function utf8Length(text: string): number {
  // A UTF-16 unit is at most three bytes, so short scopes need no encoding.
  return text.length * 3 <= MAX_BYTES ? text.length : new TextEncoder().encode(text).length
}
