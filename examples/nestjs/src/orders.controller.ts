import {
  Body,
  Controller,
  Get,
  Inject,
  Post,
  UnprocessableEntityException,
  UseGuards,
  ValidationPipe,
} from '@nestjs/common'
import type { HandlerContext } from '@oncekey/core'
import { IdempotencyContext, Idempotent } from '@oncekey/nestjs'
import { IsString } from 'class-validator'
import { AccountGuard } from './account.guard.ts'
import { DATABASE, type Database, type Queryable } from './database.module.ts'

class NewOrder {
  @IsString()
  item = ''
}

interface Order {
  readonly id: number
  readonly item: string
}

@Controller('orders')
@UseGuards(AccountGuard)
export class OrdersController {
  // Injected by name, because tsx, which runs this example, emits no types by which Nest could
  // inject.
  readonly #database: Database

  constructor(@Inject(DATABASE) database: Database) {
    this.#database = database
  }

  @Post()
  @Idempotent()
  async create(
    @Body(new ValidationPipe({ expectedType: NewOrder })) { item }: NewOrder,
    @IdempotencyContext() { transaction, emit }: HandlerContext<Queryable>,
  ): Promise<Order | undefined> {
    const tx = await transaction() // what it writes commits with the response
    const sql = 'insert into orders (item) values ($1) returning *'
    const { rows } = await tx.query<Order>(sql, [item])
    // The refusal is kept and replayed, and the order is undone.
    if (item === 'kazoo') throw new UnprocessableEntityException('we have standards')
    emit({ type: 'order.placed', subject: String(rows[0]?.id), data: { ...rows[0] } })
    return rows[0] // stored and committed before the first byte leaves
  }

  @Get('books')
  async books(): Promise<unknown> {
    const { rows } = await this.#database.db.query(`select
      (select count(*)::int from orders) as orders,
      (select count(*)::int from oncekey.outbox) as events`)
    return rows[0]
  }
}
