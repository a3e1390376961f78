import { OptionsError } from '@oncekey/core'

/**
 * Checks the headers that an endpoint wants beside ours, and gives them back under lower-case names.
 * What frames the request, signs it, says where it goes, or is between us and a proxy, is ours alone.
 */
export function checkEndpointHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new OptionsError("headers: write an object, such as { authorization: 'Bearer …' }.")
  }
  const checked = new Map<string, string>()
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    if (!TOKEN.test(name)) throw new OptionsError(`headers: "${given}" is no name of a header.`)
    if (RESERVED.test(name)) {
      throw new OptionsError(
        `headers: ${name} is not an endpoint's to set: every delivery has its own.`,
      )
    }
    if (checked.has(name)) throw new OptionsError(`headers: ${name} is given twice.`)
    if (typeof value !== 'string' || !VALUE.test(value)) {
      throw new OptionsError(
        `headers: the value of ${name} must be text of printable ASCII, not empty, with no blank at an end.`,
      )
    }
    checked.set(name, value)
  }
  const size = [...checked].reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (checked.size > MOST || size > MOST_BYTES) {
    throw new OptionsError(`headers: at most ${MOST}, of ${MOST_BYTES} bytes together.`)
  }
  return Object.fromEntries(checked)
}

const TOKEN = /^[!#$%&'*+.^_`|~\da-z-]+$/
const VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/
const RESERVED =
  /^(?:webhook-.*|content-.*|proxy-.*|host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|x-event-id|x-delivery-attempt)$/
const MOST = 20
const MOST_BYTES = 8_192
