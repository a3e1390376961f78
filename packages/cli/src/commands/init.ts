import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CliError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import { FRAMEWORKS, projectIn, STORES } from '../init/project.ts'
import { integrationFor } from '../init/templates.ts'

export const initCommand: Command = {
  path: 'init',
  summary: 'Write an integration, and a test of it, for the framework and store in package.json',
  details:
    'It writes two files, idempotency and idempotency.test, into src or beside package.json, and nothing\n' +
    'over a file that is there. With pg it takes PostgreSQL, else with ioredis Redis, else memory.',
  server: 'none',
  options: {
    framework: { value: 'name', choices: FRAMEWORKS, help: 'Instead of the one in package.json.' },
    store: { value: 'name', choices: STORES, help: 'Instead of what package.json suggests.' },
    dir: { value: 'path', help: 'The folder of package.json. Default: this one.' },
    'dry-run': { help: 'Print the files instead of writing them.' },
  },
  examples: ['init', 'init --framework fastify --store postgres'],
  run: init,
}

async function init({ given, out }: Call): Promise<ExitCode> {
  const root = resolve(given.text('dir') ?? '.')
  const project = projectIn(root, {
    framework: given.text('framework'),
    store: given.text('store'),
  })
  const { files, packages, testPackages } = integrationFor(project)
  const written = files.map(({ name, text }) => ({ path: join(root, project.folder, name), text }))
  const isDry = given.flag('dry-run')
  const existing = written.filter(({ path }) => existsSync(path)).map(({ path }) => path)
  if (existing.length > 0 && !isDry) {
    throw new CliError(
      ExitCode.found,
      `${existing.join(' and ')} is there already: nothing was written. Move it, or see what would be with --dry-run.`,
    )
  }
  if (!isDry) for (const { path, text } of written) await writeFile(path, text, { flag: 'wx' })

  const missing = project.missing(packages)
  const missingInTests = project.missing(testPackages)
  const next = [
    ...(missing.length > 0 ? [`npm install ${missing.join(' ')}`] : []),
    ...(missingInTests.length > 0 ? [`npm install --save-dev ${missingInTests.join(' ')}`] : []),
    ...(project.store === 'postgres' ? ['npx oncekey migrate'] : []),
    'mount `once` where the comment in the first file says, and write its `scope`',
  ]
  const { framework, store } = project
  await out.result({ framework, store, files: written, written: !isDry, next }, (page) => {
    page.line`For ${framework} and ${store}, ${isDry ? 'it would write' : 'written'}:`
    for (const { path, text } of written) {
      page.line`  ${path}`
      if (isDry) page.block(text)
    }
    page.blank()
    page.title('Next')
    for (const step of next) page.line`  ${step}`
  })
  return ExitCode.done
}
