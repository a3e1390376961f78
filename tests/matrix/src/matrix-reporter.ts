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
 * `--update` it writes the page. A run of a sample is compared cell by cell, and the cells it left
 * out are printed. A run of some of the files, or one that failed, is not compared.
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

/** Test files that run stores on one adapter, and the page's text about them. */
const ONE_ADAPTER: Readonly<Record<string, string>> = {
  'other-wires.int.test.ts': `The store of the first column with the same statements, sent another way: pipelined, prepared, by
another driver, on the connection of an ORM. No adapter can tell, so one is enough to see that the store
keeps its promises.`,
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
