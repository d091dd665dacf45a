// net/http and pgx as in their documentation. Reads PORT, DATABASE_URL and DATABASE_POOL_SIZE from the environment.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const columns = "id, name, description, price_cents, created_at, updated_at"

type item struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	PriceCents  int64     `json:"price_cents"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

type page struct {
	Items      []item  `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// Pointers tell a missing field, or null, from an empty value.
type itemFields struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	PriceCents  *int64  `json:"price_cents"`
}

func (fields itemFields) valid() bool {
	return fields.Name != nil && *fields.Name != "" && utf8.RuneCountInString(*fields.Name) <= 200 &&
		fields.Description != nil && utf8.RuneCountInString(*fields.Description) <= 2000 &&
		fields.PriceCents != nil && *fields.PriceCents >= 0 && *fields.PriceCents < 1<<53
}

type service struct{ pool *pgxpool.Pool }

func (s service) createItem(w http.ResponseWriter, r *http.Request) {
	fields, ok := readFields(w, r)
	if !ok {
		return
	}
	query := "INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3) RETURNING " + columns
	s.writeRow(w, r, http.StatusCreated, query, fields.Name, fields.Description, fields.PriceCents)
}

func (s service) listItems(w http.ResponseWriter, r *http.Request) {
	parameters := r.URL.Query()
	limit, err := strconv.Atoi(cmp.Or(parameters.Get("limit"), "20"))
	cursor, wrong := strconv.ParseInt(cmp.Or(parameters.Get("cursor"), "0"), 10, 64)
	if err != nil || wrong != nil || limit < 1 || limit > 100 {
		http.Error(w, "limit is 1 to 100, cursor is a number", http.StatusUnprocessableEntity)
		return
	}
	query := "SELECT " + columns + " FROM items WHERE id > $1 ORDER BY id LIMIT $2"
	rows, _ := s.pool.Query(r.Context(), query, cursor, limit+1) // CollectRows returns the error
	items, err := pgx.CollectRows(rows, pgx.RowToStructByPos[item])
	if err != nil {
		writeError(w, err)
		return
	}
	found := page{Items: items}
	if len(items) > limit {
		found.Items = items[:limit]
		found.NextCursor = new(strconv.FormatInt(items[limit-1].ID, 10))
	}
	writeJSON(w, http.StatusOK, found)
}

func (s service) readItem(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("item_id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	s.writeRow(w, r, http.StatusOK, "SELECT "+columns+" FROM items WHERE id = $1", id)
}

func (s service) replaceItem(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("item_id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	fields, ok := readFields(w, r)
	if !ok {
		return
	}
	query := "UPDATE items SET name = $2, description = $3, price_cents = $4, updated_at = now(), version = version + 1 " +
		"WHERE id = $1 RETURNING " + columns
	s.writeRow(w, r, http.StatusOK, query, id, fields.Name, fields.Description, fields.PriceCents)
}

// writeRow answers with the one item that the query returns, or with a 404.
func (s service) writeRow(w http.ResponseWriter, r *http.Request, status int, query string, arguments ...any) {
	rows, _ := s.pool.Query(r.Context(), query, arguments...) // CollectExactlyOneRow returns the error
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[item])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		writeError(w, err)
	default:
		writeJSON(w, status, found)
	}
}

func readFields(w http.ResponseWriter, r *http.Request) (itemFields, bool) {
	fields := itemFields{Description: new("")}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &fields)
	}
	if err != nil || !fields.valid() {
		http.Error(w, "the body is no item", http.StatusUnprocessableEntity)
		return fields, false
	}
	return fields, true
}

func writeJSON(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(content); err != nil {
		log.Print(err)
	}
}

func writeError(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, "internal server error", http.StatusInternalServerError)
}

func main() {
	runtime.GOMAXPROCS(1) // one core, as a process of Python has
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	size, err := strconv.ParseInt(os.Getenv("DATABASE_POOL_SIZE"), 10, 32)
	if err != nil {
		log.Fatal(err)
	}
	config.MinConns, config.MaxConns = int32(size), int32(size)
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	s := service{pool}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/items", s.createItem)
	mux.HandleFunc("GET /v1/items", s.listItems)
	mux.HandleFunc("GET /v1/items/{item_id}", s.readItem)
	mux.HandleFunc("PUT /v1/items/{item_id}", s.replaceItem)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}
