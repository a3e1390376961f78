import { usageError } from '../command/cli-error.ts'

/**
 * The address of a server, from the command line or the environment, with a name for it that an
 * error message may show.
 */
export interface ServerUrl {
  readonly href: string
  /** Host, port and database; never the user's password. */
  readonly name: string
}

/**
 * Reads the address of a server. Throws a usage error if it is not a URL of this kind. The error
 * does not contain the text, which may contain a password.
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
  // For a URL parser, a # ends the address. Of a password with a #, it would take the part before
  // it for host and port, which messages show, and ignore the rest.
  if (url.hash !== '') throw usageError(`${from} has a # in it: write %23 for one in a password.`)
  // The folder of a Unix socket is given as `?host=/run/postgresql`.
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
 * Removes passwords from a sentence: in every URL, what is between the user's name and the host,
 * and everywhere the passwords of `urls`.
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

/** A part of a URL without its escapes; as it is if they are broken. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
