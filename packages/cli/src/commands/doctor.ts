import type { Call, Command } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import type { Checked, Finding } from '../doctor/finding.ts'
import { checkPostgres } from '../doctor/postgres.ts'
import { checkRedis } from '../doctor/redis.ts'
import { purposes } from '../grants/privileges.ts'
import type { Page } from '../output/page.ts'

export const doctorCommand: Command = {
  path: 'doctor',
  summary: 'Look for what is wrong with the servers and what is in them',
  details:
    'It changes nothing, and ends with 1 if it has found anything. Each finding says what is wrong, why it\n' +
    'matters and what to do, with the statement where there is one.',
  server: 'postgres-or-redis',
  options: {
    role: { value: 'role', help: 'Also whether this role has the grants that it needs.' },
    for: {
      value: 'purpose',
      many: true,
      choices: purposes,
      help: 'What the role of --role does. Default: request.',
    },
    'max-transaction': { value: 'time', help: 'How old a transaction may be. Default: 5m.' },
    'max-lag': { value: 'count', help: 'How many events a consumer may be behind. Default: 9999.' },
    'max-lag-age': { value: 'time', help: 'How old the oldest of them may be. Default: 5m.' },
  },
  examples: ['doctor', 'doctor --role app --for request --for relay'],
  run: runDoctor,
}

async function runDoctor(call: Call): Promise<ExitCode> {
  const { given, out } = call
  const results: Checked[] = []
  const asksPostgres = call.server() === 'postgres'
  if (asksPostgres) results.push(...(await checkPostgres(call)))
  if (!asksPostgres || hasRedis(given.text('redis'))) results.push(...(await checkRedis(call)))
  const findings = results.flatMap((result) => result.findings)
  await out.result(
    { ok: findings.length === 0, findings, checks: results.map(summaryOf) },
    (page) => showAll(page, results, findings),
  )
  return findings.length === 0 ? ExitCode.done : ExitCode.found
}

function hasRedis(text: string | undefined): boolean {
  return text !== undefined || (process.env.REDIS_URL ?? '') !== ''
}

function summaryOf({ check, well, findings, skipped }: Checked): unknown {
  if (skipped !== undefined) return { check, state: 'skipped', because: skipped }
  if (findings.length > 0) return { check, state: 'found', findings: findings.length }
  return { check, state: 'well', well }
}

function showAll(page: Page, results: readonly Checked[], findings: readonly Finding[]): void {
  for (const { check, well, findings: found, skipped } of results) {
    const worst = found.some(({ level }) => level === 'fault') ? 'fault' : 'warning'
    if (skipped !== undefined) page.mark('warning', `? ${check}: could not look: ${skipped}`)
    else if (found.length === 0) page.mark('good', `✓ ${check}: ${well}`)
    else
      page.mark(
        worst,
        `✗ ${check}: ${found.length === 1 ? found[0]?.what : `${found.length} findings`}`,
      )
  }
  for (const [index, { level, check, what, why, todo, statements = [] }] of findings.entries()) {
    page.blank()
    const name = `${level === 'fault' ? 'Fault' : 'Warning'} (${check})`
    page.paragraph(`${index + 1}. ${name}: ${what}`, { indent: 3, mark: level })
    page.paragraph(`   ${why}`, { indent: 3 })
    page.paragraph(`   ${todo}`, { indent: 3 })
    for (const statement of statements) page.block(statement)
  }
  page.blank()
  const skipped = results.filter((result) => result.skipped !== undefined).length
  if (findings.length === 0 && skipped === 0) page.line`Nothing is wrong.`
  else if (findings.length === 0) {
    page.line`Nothing is wrong with what this role may look at; ${skipped} checks could not look.`
  } else page.line`${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}.`
}
