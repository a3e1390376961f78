import { usageError } from '../command/cli-error.ts'

/**
 * The address of a server, from the command line or the environment, with a name for it that an
 * error message may show.
 */
export interface ServerUrl {
  readonly href: string
  /** Host, port and database; never the password. */
  readonly name: string
}

/**
 * Throws a usage error for what is no URL of this kind; the text is not repeated, it may hold a
 * password.
 */
export function serverUrl(
  text: string,
  from: string,
  kind: { readonly protocols: readonly string[]; readonly port: number; readonly example: string },
): ServerUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !kind.protocols.includes(url.protocol)) {
    throw usageError(`${from} is not a URL of this kind: write ${kind.example}.`)
  }
  // A # ends the address for a URL parser: the rest of the password would be ignored, and the part
  // before it would show up in messages.
  if (url.hash !== '') throw usageError(`${from} has a # in it: write %23 for one in a password.`)
  // A socket's folder is given as `?host=/run/postgresql`.
  const host = url.hostname || url.searchParams.get('host') || 'localhost'
  const port = url.port || url.searchParams.get('port') || String(kind.port)
  const database = decoded(url.pathname.slice(1)) || (url.searchParams.get('dbname') ?? '')
  return { href: text, name: `${host}:${port}${database === '' ? '' : `/${database}`}` }
}

export const POSTGRES_URL = {
  protocols: ['postgres:', 'postgresql:'],
  port: 5432,
  example: 'postgres://user@host:5432/database',
} as const

export const REDIS_URL = {
  protocols: ['redis:', 'rediss:'],
  port: 6379,
  example: 'redis://host:6379/0',
} as const

/**
 * A sentence without what is between a user's name and the host in any URL, and without these
 * passwords.
 */
export function withoutPasswords(text: string, urls: readonly (string | undefined)[]): string {
  const passwords = urls.flatMap((url) => passwordsIn(url)).filter(({ length }) => length >= 4)
  const blind = text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@/]*@/gi, '$1:***@')
    .replaceAll(/([?&]password=)[^&\s"']*/gi, '$1***')
  return passwords.reduce((kept, password) => kept.replaceAll(password, '***'), blind)
}

function passwordsIn(text: string | undefined): string[] {
  if (text === undefined || !URL.canParse(text)) return []
  const { password, searchParams } = new URL(text)
  const given = [password, decoded(password), searchParams.get('password') ?? '']
  return given.filter((each) => each !== '')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
