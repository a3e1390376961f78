import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Viewer } from '@oncekey/dashboard'

export function newToken(): string {
  return randomBytes(24).toString('base64url')
}

/**
 * Makes an `authorize` by which everybody who sends the token is the viewer. Programs send it as a
 * bearer token, browsers as the password for which they ask. A cookie is not used, because forms of
 * other sites would send it along; nor is the path, because browsing histories store it.
 */
export function bearerOrBasic(
  token: string,
  viewer: Viewer,
): (request: Request) => Viewer | Response {
  return (request) => {
    const [scheme = '', given = ''] = request.headers.get('authorization')?.split(' ', 2) ?? []
    const password = scheme.toLowerCase() === 'basic' ? passwordIn(given) : given
    if (isSame(password, token)) return viewer
    return new Response('Send the token that oncekey dashboard has printed, as the password.\n', {
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="Oncekey", charset="UTF-8"' },
    })
  }
}

function passwordIn(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString()
  return text.slice(text.indexOf(':') + 1)
}

/**
 * Compares digests, so that the time of the comparison reveals neither the token's length nor its
 * text.
 */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other))
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer')
