// An order: reserve the goods, charge the customer, ship. What cannot be finished is undone, the last step first.
//
// It needs the host's `http` plugin, with leave to reach the shop; `../service/` is a shop to try it with.
package main

import "refrain-sdk/workflow"

// Order is what is ordered.
type Order struct {
	Number   string `json:"number" doc:"The order's number, which the shop's services know it by."`
	Customer string `json:"customer" doc:"Whose account is charged."`
	SKU      string `json:"sku" doc:"What is ordered."`
	Quantity uint32 `json:"quantity" doc:"How many of it."`
	Cents    uint64 `json:"cents" doc:"What they cost together, in cents."`
	Shop     string `json:"shop" doc:"Where the shop's services are, such as http://127.0.0.1:8080."`
}

// Receipt is what the customer gets.
type Receipt struct {
	Number   string `json:"number" doc:"The order's number."`
	Cents    uint64 `json:"cents" doc:"What was charged, in cents."`
	Tracking string `json:"tracking" doc:"By what the parcel is known to who carries it."`
}

func init() {
	workflow.Register("order", order, workflow.Options{
		Doc: "Reserves, charges and ships an order, or does none of it.",
	})
}

func main() {}

// Each compensation is registered before its step. A step that failed may have had its effect all the same, when its
// answer was lost or came too late; so its compensation runs too, and the shop makes nothing of undoing nothing.
func order(ctx workflow.Context, order Order) (Receipt, error) {
	doing := "order `" + order.Number + "`"
	return workflow.RunSaga(ctx, doing, func(ctx workflow.Context, saga *workflow.Saga) (receipt Receipt, err error) {
		shop, log := shop{order}, workflow.Log(ctx)

		saga.Undo("release the goods", shop.release)
		reserved, err := shop.reserve(ctx)
		if err != nil {
			return receipt, workflow.Wrap(err, "reserve the goods")
		}
		log.Info("reserved", "sku", order.SKU, "quantity", order.Quantity, "left", reserved.Left)

		saga.Undo("refund the customer", shop.refund)
		charged, err := shop.charge(ctx)
		if err != nil {
			return receipt, workflow.Wrap(err, "charge the customer")
		}
		log.Info("charged", "customer", order.Customer, "balance", charged.Balance)

		saga.Undo("call the parcel back", shop.callBack)
		shipped, err := shop.ship(ctx)
		if err != nil {
			return receipt, workflow.Wrap(err, "ship the goods")
		}
		log.Info("shipped", "tracking", shipped.Tracking)

		return Receipt{Number: order.Number, Cents: order.Cents, Tracking: shipped.Tracking}, nil
	})
}
