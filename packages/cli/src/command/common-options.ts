import { usageError } from './cli-error.ts'
import type { Command } from './command.ts'
import type { Given } from './given.ts'
import type { Option } from './option.ts'

/** All options of a verb: its own, and those that every verb of its kind has. */
export function optionsOf(command: Command): Readonly<Record<string, Option>> {
  return {
    ...command.options,
    ...(command.act !== undefined && ACT),
    ...(command.act === 'asks' && ASKS),
    ...(command.server !== 'none' && POSTGRES),
    ...(command.server === 'postgres-or-redis' && REDIS),
    ...(command.viaDashboard && DASHBOARD),
    ...(command.server !== 'none' && TIMEOUT),
    ...OUTPUT,
  }
}

const ACT: Readonly<Record<string, Option>> = {
  note: { value: 'text', help: 'Why. It goes on record with the act; required.' },
  actor: { value: 'who', help: 'Who acts. Default: ONCEKEY_ACTOR, else your login and host.' },
}

const ASKS: Readonly<Record<string, Option>> = {
  yes: { short: 'y', help: 'Do it without asking; required where there is no terminal.' },
}

const POSTGRES: Readonly<Record<string, Option>> = {
  database: { value: 'url', help: 'PostgreSQL. Default: DATABASE_URL.' },
  schema: { value: 'name', help: 'The schema of Oncekey. Default: oncekey.' },
}

const REDIS: Readonly<Record<string, Option>> = {
  redis: { value: 'url', help: 'Redis. Default: REDIS_URL.' },
}

const DASHBOARD: Readonly<Record<string, Option>> = {
  url: { value: 'url', help: 'A dashboard, asked instead of a server. Default: ONCEKEY_URL.' },
  token: { value: 'text', help: 'What its `authorize` takes as a bearer. Default: ONCEKEY_TOKEN.' },
}

const TIMEOUT: Readonly<Record<string, Option>> = {
  timeout: { value: 'time', help: 'How long to wait for a server to answer. Default: 10s.' },
}

const OUTPUT: Readonly<Record<string, Option>> = {
  json: { help: 'JSON instead of text.' },
  'no-color': { help: 'No colour. NO_COLOR does the same.' },
  debug: { help: 'Show the stack of an error.' },
  help: { short: 'h', help: 'Show this.' },
}

/** The option of verbs that put a redrive on record. */
export const REQUEST_ID: Readonly<Record<string, Option>> = {
  'request-id': {
    value: 'text',
    help: 'For scripts: repeated with the same text and filter, it goes on with the redrive that is there.',
  },
}

/** An empty value comes from a variable that is not set, and is nothing that anybody means. */
export function refuseEmpty(given: Given, names: readonly string[]): void {
  for (const name of names) {
    if (!given.has(name) || ![given.list(name)].flat().includes('')) continue
    throw usageError(`--${name} is empty: write what it is to be, or leave it out.`)
  }
}

/** The options of verbs that list. */
export const PAGE: Readonly<Record<string, Option>> = {
  limit: { value: 'count', help: 'How many at most, up to 1000. Default: 50.' },
  page: { value: 'token', help: 'Where to go on: what the page before ended with.' },
}
