package main

import (
	"errors"
	"time"

	"refrain-sdk/workflow"
)

// The shop's services, as activities of the host's `http` plugin: what is asked of them, and how patiently.
//
// Each request carries an `Idempotency-Key` that is the same for all attempts, which the plugin sees to; so a repeated
// request is answered as the first was, and has no second effect.

// patience is how often and for how long something is tried.
//
// What does not work soon is undone: so steps have a number of attempts. What must not stay half done is tried as long
// as there is hope, and then it is for people: so compensations have an end, since what was done before waits to be
// undone until then.
func patience(attempt, first, longest time.Duration, attempts uint32, end time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToClose:    attempt,
		ScheduleToClose: end,
		Retry: &workflow.Retry{
			InitialInterval: first,
			MaximumInterval: longest,
			MaximumAttempts: attempts,
		},
	}
}

const day = 24 * time.Hour

var (
	toReserve = patience(5*time.Second, 100*time.Millisecond, time.Second, 5, 0)
	// Payment services are away for longer, and say so with Retry-After, which is honoured whatever stands here.
	toCharge = patience(15*time.Second, 200*time.Millisecond, 10*time.Second, 6, 0)
	// What has not been answered by then will not be: better to ask again.
	toShip    = patience(2*time.Second, 100*time.Millisecond, 5*time.Second, 4, 0)
	toRelease = patience(5*time.Second, 100*time.Millisecond, time.Minute, 0, 3*day)
	// Money is what customers forgive last.
	toRefund = patience(15*time.Second, 100*time.Millisecond, 5*time.Minute, 0, 7*day)
	// A parcel that is under way for longer is beyond recall, and the money waits behind it.
	toCallBack = patience(10*time.Second, 100*time.Millisecond, time.Minute, 0, 6*time.Hour)
)

// reserved, charged and shipped are the shop's answers.
type reserved struct {
	Left uint32 `json:"left"`
}

type charged struct {
	Balance uint64 `json:"balance"`
}

type shipped struct {
	Tracking string `json:"tracking"`
}

// shop is the shop, for one order.
type shop struct{ Order }

func (s shop) reserve(ctx workflow.Context) (reserved, error) {
	goods := struct {
		SKU      string `json:"sku"`
		Quantity uint32 `json:"quantity"`
	}{s.SKU, s.Quantity}
	return ask[reserved](ctx, s, "PUT", "reservations", goods, toReserve)
}

func (s shop) charge(ctx workflow.Context) (charged, error) {
	payment := struct {
		Customer string `json:"customer"`
		Cents    uint64 `json:"cents"`
	}{s.Customer, s.Cents}
	return ask[charged](ctx, s, "PUT", "charges", payment, toCharge)
}

func (s shop) ship(ctx workflow.Context) (shipped, error) {
	return ask[shipped](ctx, s, "PUT", "shipments", struct{}{}, toShip)
}

func (s shop) release(ctx workflow.Context) error {
	return request[any](ctx, s, "DELETE", "reservations", nil, toRelease).Wait()
}

func (s shop) refund(ctx workflow.Context) error {
	return request[any](ctx, s, "DELETE", "charges", nil, toRefund).Wait()
}

func (s shop) callBack(ctx workflow.Context) error {
	return request[any](ctx, s, "DELETE", "shipments", nil, toCallBack).Wait()
}

// response is what the `http` plugin answers of a request that went well.
type response[T any] struct {
	Body T `json:"body"`
}

func request[T any](
	ctx workflow.Context, s shop, method, what string, body any, options workflow.ActivityOptions,
) *workflow.Future[response[T]] {
	options.Summary = method + " " + what
	return workflow.ExecuteActivity[response[T]](ctx, "http.request", struct {
		Method string `json:"method"`
		URL    string `json:"url"`
		Body   any    `json:"body,omitempty"`
	}{method, s.Shop + "/" + what + "/" + s.Number, body}, options)
}

// ask is a step's answer.
func ask[T any](
	ctx workflow.Context, s shop, method, what string, body any, options workflow.ActivityOptions,
) (T, error) {
	response, err := request[T](ctx, s, method, what, body, options).Get()
	return response.Body, inItsOwnWords(err)
}

// inItsOwnWords: the plugin says which status was answered, and has the body among the details; the shop's own reason is
// the end of the chain.
func inItsOwnWords(err error) error {
	var failure *workflow.Failure
	var details struct {
		Body *struct {
			Error string `json:"error"`
		} `json:"body"`
	}
	if errors.As(err, &failure) && failure.Details(&details) && details.Body != nil && details.Body.Error != "" {
		return failure.CausedBy(workflow.NewFailure(details.Body.Error))
	}
	return err
}
