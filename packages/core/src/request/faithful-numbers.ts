/**
 * Whether a JSON text has a number that `JSON.parse` would change, so that two different texts
 * could become the same value: `4503599627370497.25`, `1e-400`, `12345678901234567890`. Call it
 * only with text that `JSON.parse` accepts: in a text with an unterminated string the search starts
 * again at each quote, and 254 KB took 55 s.
 */
export function hasUnfaithfulNumber(json: string): boolean {
  // A double holds any decimal of up to 15 digits without an exponent, and most bodies have nothing
  // else.
  if (!SUSPECT.test(json)) return false
  for (const [token] of json.matchAll(STRING_OR_NUMBER)) {
    if (!token.startsWith('"') && !isFaithful(token)) return true
  }
  return false
}

const SUSPECT = /[\d.]{16}|(?:^|[:,[\s-])[\d.]+[eE]/
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/**
 * Whether a double keeps the number. It does if the number has at most 15 significant digits, or if
 * the double prints as the same number.
 */
function isFaithful(token: string): boolean {
  const value = Number(token)
  const written = decimal(token)
  if (!Number.isFinite(value)) return false
  if (value === 0) return written.digits === ''
  if (written.digits.length <= 15 && Math.abs(value) > SMALLEST_EXACT) return true
  const held = decimal(String(value))
  return held.digits === written.digits && held.exponent === written.exponent
}

/** A smaller double keeps fewer digits. */
const SMALLEST_EXACT = 1e-300

/** The digits of a number without the zeros around them, and the power of ten of the last one. */
function decimal(token: string): { readonly digits: string; readonly exponent: number } {
  const [, whole = '', fraction = '', power = '0'] = NUMBER.exec(token) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = withoutLastZeros(digits)
  return {
    digits: significant,
    exponent: Number(power) - fraction.length + digits.length - significant.length,
  }
}

/**
 * A loop, because `/0+$/` is tried again at each zero of a run that another digit ends: for a body
 * of 256 KB with one such number it took 100 s.
 */
function withoutLastZeros(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end -= 1
  return digits.slice(0, end)
}

const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
