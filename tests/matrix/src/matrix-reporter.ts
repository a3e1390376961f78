import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { compareSample } from './matrix-sample.ts'
import { matrixPage, type Outcome } from './matrix-table.ts'
import { isWhole } from './whole.ts'

const page = fileURLToPath(new URL('../../../docs/matrix.md', import.meta.url))
const folder = fileURLToPath(new URL('../test', import.meta.url))

/**
 * Compares the results of the matrix with `docs/matrix.md`, and fails the run if they differ; with
 * `--update` it writes the page. If the run was a sample, its cells are compared and the cells that
 * it left out are printed. A run of only some of the files, or one that failed, is not compared.
 */
export function matrixReporter(): Reporter {
  let vitest: Vitest
  return {
    onInit(started) {
      vitest = started
    },
    onTestRunEnd(modules) {
      if (vitest.config.testNamePattern !== undefined) return
      const run = modules.filter(
        ({ moduleId }) => dirname(moduleId) === folder.replace(/[/\\]$/, ''),
      )
      if (run.length < files().length || run.some((module) => !module.ok())) return
      try {
        if (!isWhole) {
          vitest.logger.log(
            `\n${compareSample(readFileSync(page, 'utf8'), run.flatMap(outcomesOf))}\n`,
          )
          return
        }
        const written = pageOf(run)
        if (vitest.config.snapshotOptions.updateSnapshot === 'all') writeFileSync(page, written)
        else if (!existsSync(page) || readFileSync(page, 'utf8') !== written) {
          throw new Error('docs/matrix.md is not what this run has shown. Write it: pnpm matrix')
        }
      } catch (error) {
        vitest.logger.error(`\n${(error as Error).message}\n`)
        process.exitCode = 1
      }
    },
  }
}

function files(): string[] {
  return readdirSync(folder).filter((file) => file.endsWith('.int.test.ts'))
}

function pageOf(modules: readonly TestModule[]): string {
  const inOrder = [...modules].sort((one, two) => (one.moduleId < two.moduleId ? -1 : 1))
  const whyOf = ({ moduleId }: TestModule) => ONE_ADAPTER[basename(moduleId)]
  return matrixPage(
    inOrder.filter((module) => whyOf(module) === undefined).flatMap(outcomesOf),
    inOrder.flatMap((module) => {
      const why = whyOf(module)
      return why === undefined ? [] : [{ why, outcomes: outcomesOf(module) }]
    }),
  )
}

/** Test files that run their stores on one adapter only, and the page's text about each. */
const ONE_ADAPTER: Readonly<Record<string, string>> = {
  'other-wires.int.test.ts': `These columns are the store of the first column, whose statements are sent in another way: pipelined,
prepared, by another driver, or on the connection of an ORM. An adapter cannot see the difference, so
these stores run with one adapter only.`,
}

function outcomesOf(module: TestModule): Outcome[] {
  return [...module.children.suites()].flatMap((suite) => {
    // No adapter's name contains a comma.
    const [, adapter, store] = suite.name.match(/^adapter contract: ([^,]+), (.+)$/) ?? []
    if (adapter === undefined || store === undefined) return []
    return [...suite.children.allTests()].map((test): Outcome => {
      const result = test.result()
      const skipped = result.state === 'skipped' ? (result.note ?? '') : undefined
      const behaviour = `${(test.parent as { name: string }).name}: ${test.name}`
      return { adapter, store, behaviour, skipped }
    })
  })
}
