import { readdirSync, readFileSync } from 'node:fs'
import type { DefaultTheme } from 'vitepress'

const docs = new URL('../', import.meta.url)

type Item = DefaultTheme.SidebarItem

const page = (text: string, link: string): Item => ({ text, link: `/${link}` })
const group = (text: string, ...items: Item[]): Item => ({ text, items })

/** Every page of a folder, by its first heading. */
const folder = (name: string): Item[] =>
  readdirSync(new URL(`${name}/`, docs))
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .sort()
    .map((file) => {
      const text = readFileSync(new URL(`${name}/${file}`, docs), 'utf8')
      const title = /^# (.+)$/m.exec(text)?.[1] ?? file
      return page(title.replaceAll('`', ''), `${name}/${file.replace(/\.md$/, '')}`)
    })

const start = group(
  'Start',
  page('What it is', ''),
  page('Tutorial', 'tutorial'),
  page('Questions', 'questions'),
  page('Choosing', 'choosing'),
  page('Comparison', 'comparison'),
  page('Coming from another library', 'migrating'),
)

const guides = [
  group(
    'Frameworks',
    page('Express', 'packages/express'),
    page('Fastify', 'packages/fastify'),
    page('Hono, Next.js, fetch', 'packages/web'),
    page('Koa', 'packages/koa'),
    page('NestJS', 'packages/nestjs'),
    page('node:http, Connect', 'packages/node'),
    page('tRPC, Next.js, SvelteKit, Nuxt, Lambda, jobs', 'recipes'),
    page('An adapter of your own', 'adapters'),
  ),
  group(
    'Stores',
    page('Postgres', 'packages/postgres'),
    page('ORMs and drivers', 'bridges'),
    page('Redis', 'packages/redis'),
    page('A store of your own', 'writing-a-store'),
  ),
  group(
    'Events',
    page('The outbox', 'packages/outbox'),
    page('Brokers', 'publishers'),
    page('Webhooks', 'packages/webhooks'),
    page('Sagas', 'packages/saga'),
  ),
  group(
    'Your application',
    page('Clients that retry', 'packages/client'),
    page('OpenAPI, AsyncAPI', 'packages/openapi'),
    page('Testing it', 'testing'),
    page('Examples', 'examples'),
  ),
]

const concepts = group(
  'Concepts',
  page('What happens when', 'failures'),
  page('System by system', 'patterns'),
  page('Stores', 'stores'),
  page('Tenants, databases, regions', 'tenants'),
  page('Events in depth', 'outbox'),
  page('Webhooks in depth', 'webhooks'),
  page('Sagas in depth', 'saga'),
  page('Reliability', 'reliability'),
  page('Architecture', 'architecture'),
)

const operate = group(
  'Operate',
  page("An operator's day", 'operators-day'),
  page('Acts of an operator', 'operating'),
  page('Dashboard', 'dashboard'),
  page('Metrics, traces, alerts', 'telemetry'),
  page('Sizing', 'sizing'),
  page('Upgrading, going back', 'upgrading'),
  page('Rolling deploys', 'deploys'),
  page('Crashes and failovers', 'failover'),
  page('Rights in Postgres', 'grants'),
  page('Performance', 'performance'),
  page('Security model', 'security-model'),
  page('Reporting a vulnerability', 'security'),
)

const reference = group(
  'Reference',
  page('What HTTP clients see', 'http'),
  page('Errors', 'errors/'),
  page('Options', 'reference/options'),
  page('Methods', 'reference/methods'),
  page('Command line', 'cli'),
  page('Verbs of the command line', 'reference/verbs'),
  page('Channels', 'reference/channels'),
  page('Metrics', 'reference/metrics'),
  page('Tables and views', 'reference/tables'),
  page('Adapters and stores', 'matrix'),
  page('@oncekey/core', 'packages/core'),
  page('@oncekey/conformance', 'packages/conformance'),
  page('@oncekey/dashboard', 'packages/dashboard'),
  page('@oncekey/telemetry', 'packages/telemetry'),
  page('oncekey', 'packages/cli'),
  page('Changelog', 'changelog'),
  page('Contributing', 'contributing'),
)

// It has a link because VitePress makes a button of a heading without one, around the button that
// opens the list.
const alerts: Item = {
  ...page('Alerts', 'telemetry#alerts'),
  collapsed: true,
  items: folder('alerts'),
}

const main = [start, ...guides, concepts, operate, alerts, reference]

export const sidebar: DefaultTheme.SidebarMulti = {
  '/': main,
  '/errors/': [group('Errors', page('All errors', 'errors/'), ...folder('errors')), ...main],
  '/alerts/': [group('Alerts', page('All alerts', 'telemetry'), ...folder('alerts')), ...main],
  '/decisions/': [group('Decisions', page('Index', 'decisions/'), ...folder('decisions'))],
}

const first = (text: string, link: string) => ({ text, link })

export const nav: DefaultTheme.NavItem[] = [
  first('Start', '/tutorial'),
  first('Guides', '/packages/express'),
  first('Concepts', '/failures'),
  first('Operate', '/operating'),
  first('Reference', '/http'),
  first('Decisions', '/decisions/'),
]
