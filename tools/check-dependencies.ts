import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sourcesIn, specifiersIn } from './imports.ts'

/**
 * The only place that says which package may import which. An entry with a subpath allows just that
 * subpath.
 */
const mayImport: Record<string, readonly string[]> = {
  core: [],
  node: ['core'],
  express: ['core', 'node'],
  fastify: ['core', 'node'],
  koa: ['core', 'node'],
  nestjs: ['core', 'node', 'fastify/late'],
  web: ['core', 'node'],
  postgres: ['core'],
  redis: ['core'],
  outbox: ['core'],
  webhooks: ['core', 'outbox', 'postgres/client'],
  saga: ['core', 'outbox', 'postgres/client'],
  dashboard: ['core'],
  telemetry: ['core'],
  openapi: ['core'],
  cli: ['core', 'dashboard', 'outbox', 'postgres', 'redis', 'saga', 'webhooks'],
  client: [],
  conformance: ['core'],
}

/**
 * Returns every breach of this table by the packages in `folder`, in their dependencies and in the
 * imports of their `src`.
 */
export function findBreaches(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const allowed = mayImport[name]
    if (!allowed) return [`${name}: has no row in tools/check-dependencies.ts`]
    return [
      ...dependenciesOf(join(folder, name))
        .filter((dependency) => !allowed.some((entry) => packageOf(entry) === dependency))
        .map((dependency) => `${name}/package.json: depends on @oncekey/${dependency}`),
      ...importsOf(join(folder, name, 'src'))
        .filter(({ target }) => target !== name && !allowed.some((entry) => covers(entry, target)))
        .map(({ file, specifier }) => `${name}/src/${file}: imports ${specifier}`),
    ]
  })
}

const packageOf = (entry: string) => entry.split('/')[0]
const covers = (entry: string, target: string) => `${target}/`.startsWith(`${entry}/`)

function dependenciesOf(folder: string): string[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return ['dependencies', 'peerDependencies', 'optionalDependencies']
    .flatMap((field) => Object.keys(manifest[field] ?? {}))
    .flatMap((name) => ours(name) ?? [])
}

function importsOf(src: string) {
  return sourcesIn(src).flatMap((file) =>
    specifiersIn(join(src, file)).flatMap((specifier) => {
      const target = ours(specifier) ?? outside(src, file, specifier)
      return target ? [{ file, specifier, target }] : []
    }),
  )
}

const ours = (specifier: string) => specifier.match(/^@oncekey\/(.+)$/)?.[1]

const outside = (src: string, file: string, specifier: string) =>
  specifier.startsWith('.') && !resolve(src, file, '..', specifier).startsWith(resolve(src) + sep)
    ? specifier
    : undefined

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const breaches = findBreaches('packages')
  for (const breach of breaches) console.error(breach)
  process.exitCode = breaches.length === 0 ? 0 : 1
}
